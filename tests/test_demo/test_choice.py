"""Which checkpoint the demo takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from point_peft.apis import TrainingResult, get_config
from point_peft.demo import choice
from point_peft.io.errors import ConfigError, PointPEFTError

NAME = 'lora/pointmae_mini_shapes'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_of(folder: Path, *files: str, last: str) -> None:
    """Files of a run, whose directory was moved since."""
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).touch()
    (folder / 'last_checkpoint').write_text(f'/elsewhere/{last}')


def test_checkpoint() -> None:
    """It is taken as it is; whoever loads it says what is wrong with it."""
    assert choice.find_checkpoint('some/epoch_3.pth') == 'some/epoch_3.pth'


def test_name() -> None:
    """The best checkpoint of the newest run of a config, or else the last."""
    with pytest.raises(ConfigError, match=rf"'{NAME}' is neither a checkpoint nor a config with a run in"):
        choice.find_checkpoint(NAME)
    run_of(Path('work_dirs', NAME), 'best_overall_accuracy_epoch_1.pth', 'epoch_2.pth', last='epoch_2.pth')
    assert choice.find_checkpoint(NAME).endswith('shapes/best_overall_accuracy_epoch_1.pth')
    run_of(Path('work_dirs', f'{NAME}_2'), 'epoch_1.pth', 'epoch_2.pth', last='epoch_2.pth')
    assert choice.find_checkpoint(NAME).endswith('shapes_2/epoch_2.pth')
    with pytest.raises(PointPEFTError, match='neither a checkpoint nor a config'):
        choice.find_checkpoint('no/such_config')


def test_nothing_given(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """A model is trained once, with settings that its config takes, and found again."""
    asked = []

    def train(name: str, *, options: dict, work_dir: Path, device: str) -> TrainingResult:
        asked.append((name, options))
        run_of(work_dir, 'epoch_8.pth', last='epoch_8.pth')
        return TrainingResult(work_dir, work_dir / 'epoch_8.pth', 'last', {})

    monkeypatch.setattr(choice, 'train', train)
    assert choice.find_checkpoint(None) == choice.find_checkpoint(None) == 'work_dirs/demo/epoch_8.pth'
    ((name, options),) = asked
    assert capsys.readouterr().out.count('no model is given') == 1
    cfg = get_config(name, **options)
    assert cfg.train_dataloader.dataset.num_samples == 320
    assert cfg.train_cfg.max_epochs == 8 and cfg.get('val_dataloader') is None
