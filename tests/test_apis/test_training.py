"""Training from Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.device import utils as mmengine_device
from small_models import small_config

from point_peft.apis import TrainingResult, train
from point_peft.io.errors import ConfigError, DatasetError, PointPEFTError
from point_peft.io.weights import load_checkpoint_file

CONFIG = 'point_peft/pointmae_mini_folder'


def test_result(trained: TrainingResult) -> None:
    """Directory, checkpoint and accuracies are those that the run wrote."""
    rows = json.loads((trained.work_dir / 'protocol.json').read_text())['rows']
    tested = {row['label'].partition(' (')[0].replace(' ', '_'): row['test'] for row in rows}
    assert trained.accuracies == {name: row['overall_accuracy'] for name, row in tested.items()}
    assert set(trained.accuracies) == {'last', 'best_on_val', 'best_on_test'}
    report = json.loads((trained.work_dir / 'report' / 'report.json').read_text())
    assert report['checkpoint'] == str(trained.checkpoint) and trained.chosen == 'best_on_val'
    assert trained.accuracy == pytest.approx(report['accuracy']['percent'])
    assert 'num_classes=3' in load_checkpoint_file(trained.checkpoint)['meta']['cfg']


def test_trainings_of_one_process(
    data: Path, tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that begin in the same second, with the default directory, know nothing of each other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('mmengine.runner.runner.time.strftime', lambda *_: '20260101_000000')
    before = mmengine_device.DEVICE
    monkeypatch.setattr(mmengine_device, 'DEVICE', 'somewhere')
    results = [
        train(CONFIG, data, options={**tiny, 'train_cfg.max_epochs': epochs}, device='cpu')
        for epochs in (2, 1)
    ]
    assert mmengine_device.DEVICE == 'somewhere' != before
    names = ['pointmae_mini_folder_my_clouds', 'pointmae_mini_folder_my_clouds_2']
    assert [result.work_dir.name for result in results] == names
    histories = [json.loads((one.work_dir / 'protocol.json').read_text())['history'] for one in results]
    assert [len(history) for history in histories] == [2, 1]
    assert [result.chosen for result in results] == ['last', 'last']  # of too few objects to choose by
    assert [result.checkpoint.name for result in results] == ['epoch_2.pth', 'epoch_1.pth']


def test_a_config_file_without_validation(tmp_path: Path) -> None:
    """Nothing is tested then, and the last checkpoint is the result; with it, the best on validation is."""
    cfg = small_config(tmp_path / 'unused', method='lora', checkpoint=None)
    cfg.model.backbone.init_cfg = None
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.delta = None
    cfg.dump(tmp_path / 'small.py')
    bare = train(tmp_path / 'small.py', work_dir=tmp_path / 'bare', validate=False, device='cpu')
    assert (bare.accuracies, bare.accuracy, bare.chosen) == ({}, None, 'last') and bare.checkpoint.is_file()
    whole = train(tmp_path / 'small.py', work_dir=tmp_path / 'whole', device='cpu')
    assert whole.chosen == 'best_on_val' and whole.checkpoint.name.startswith('best_')
    assert whole.accuracy == whole.accuracies['best_on_val']


def test_slips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences before the first step, and no directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'x').mkdir()
    with pytest.raises(DatasetError, match="'x' holds no class directories"):
        train(CONFIG, 'x')
    with pytest.raises(ConfigError, match='has no effect, as ProceduralShapes reads no files'):
        train('lora/pointmae_mini_shapes', 'x')
    for arguments, message in (
        (dict(device='cuda:1'), "device='cuda:1' is unknown; give one of auto, cpu, cuda"),
        (dict(launcher='ssh'), "launcher='ssh' is unknown; give one of none, pytorch"),
        (dict(patience=0), 'patience=0'),
        (dict(seed=-1), 'randomness.seed is -1'),
        (dict(seed='many'), "randomness.seed is 'many'"),
    ):
        with pytest.raises(PointPEFTError, match=message):
            train('lora/pointmae_mini_shapes', **arguments)
    assert not (tmp_path / 'work_dirs').exists()
