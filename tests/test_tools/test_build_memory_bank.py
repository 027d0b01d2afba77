"""The tool that builds memory banks."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
import warm_python
from small_models import expected_of, fitted_of, small_config, write_pretrained

from point_peft.apis import init_model
from point_peft.engine.fitting import load_fitted
from point_peft.io.errors import ConfigError, MissingFileError
from point_peft.io.weights import load_checkpoint_file
from point_peft.procedural import ProceduralShapes

ROOT = Path(__file__).resolve().parents[2]
TOOL = 'build_memory_bank.py'


@pytest.fixture(scope='module')
def tool(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    """The script as a module."""
    return load_tool(TOOL)


def write_config(
    folder: Path, *, method: str = 'point_peft', checkpoint: Path | None = None, **changes: object
) -> Path:
    """A config file in ``folder`` on pre-trained weights that are there too."""
    checkpoint = checkpoint or write_pretrained(folder / 'pretrain.pth')
    cfg = small_config(folder, method=method, checkpoint=checkpoint)
    cfg.merge_from_dict(changes)
    cfg.dump(folder / 'config.py')
    return folder / 'config.py'


def arguments(config: Path, out: Path, **more: object) -> argparse.Namespace:
    """A command line."""
    defaults = dict(batch_size=5, cfg_options={}, work_dir=None, device='cpu', launcher='none')
    return argparse.Namespace(config=str(config), out=str(out), **(defaults | more))


def test_bank_of_a_config(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The file fits the config's model and training set, and holds the pre-trained network's summaries."""
    config = write_config(tmp_path)
    tool.main(arguments(config, tmp_path / 'bank.safetensors'))
    assert f'wrote 32 features to {tmp_path / "bank.safetensors"}' in capsys.readouterr().out
    dataset = ProceduralShapes(num_samples=32, num_points=64, split='train')
    model = init_model(config)
    wrapper, prompt = model.backbone, fitted_of(model)
    provenance = load_fitted(tmp_path / 'bank.safetensors', prompt, expected_of(model, dataset))
    assert provenance.items() >= dict(dataset='ProceduralShapes', split='train', num_samples=32).items()
    points = torch.stack([dataset[index]['inputs']['points'] for index in (0, 17)])
    summary = wrapper.pretrained_summary(wrapper.backbone.embed(points).first(8))
    expected = summary / summary.norm(dim=1, keepdim=True)
    torch.testing.assert_close(prompt.bank.keys[[0, 17]], expected, atol=1e-5, rtol=0)


def test_options(tool: ModuleType, tmp_path: Path) -> None:
    """``--cfg-options`` reaches the training set, and the file says so."""
    config = write_config(tmp_path)
    options = {'train_dataloader.dataset.num_samples': 16, 'train_dataloader.dataset.split': 'trainval'}
    tool.main(arguments(config, tmp_path / 'bank.safetensors', cfg_options=options))
    content = load_checkpoint_file(tmp_path / 'bank.safetensors')
    provenance = content['meta']['provenance']
    assert (
        provenance['split'] == 'trainval'
        and provenance['num_samples'] == len(content['state_dict']['keys']) == 18
    )


def test_config_without_prompt(tool: ModuleType, tmp_path: Path) -> None:
    """Refused by name."""
    with pytest.raises(
        ConfigError, match=r'config\.py has no Point-prior Prompt, so it needs no memory bank'
    ):
        tool.main(arguments(write_config(tmp_path, method='lora'), tmp_path / 'bank.safetensors'))


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        (
            {'model.backbone.init_cfg.checkpoint': 'nowhere.pth'},
            MissingFileError,
            r"checkpoint 'nowhere\.pth'",
        ),
        ({'train_dataloader.dataset.num_sample': 3}, ConfigError, "'num_sample'; did you mean 'num_samples'"),
    ],
)
def test_bad_config(
    tool: ModuleType, tmp_path: Path, changes: dict[str, object], error: type[Exception], message: str
) -> None:
    """Missing weights and typos are found before anything is built; nothing is written."""
    with pytest.raises(error, match=message):
        tool.main(arguments(write_config(tmp_path, **changes), tmp_path / 'bank.safetensors'))
    assert not (tmp_path / 'bank.safetensors').exists()


def test_missing_data(tool: ModuleType, tmp_path: Path) -> None:
    """Says where the data can be had and which config needs no download."""
    dataset = dict(_delete_=True, type='ModelNet', data_root=str(tmp_path / 'absent'), split='train')
    config = write_config(tmp_path, **{'train_dataloader.dataset': dataset})
    with pytest.raises(
        MissingFileError, match=r'data of ModelNet not found.*absent.*pointmae_mini_shapes\.py'
    ):
        tool.main(arguments(config, tmp_path / 'bank.safetensors'))


def test_command_line(tmp_path: Path) -> None:
    """As a command, with one sentence and exit code 1 for a file that is not there."""
    command = [
        sys.executable,
        str(ROOT / 'tools' / TOOL),
        'configs/absent.py',
        '--out',
        str(tmp_path / 'bank.safetensors'),
    ]
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    failed = warm_python.run(command, env=env)
    assert failed.returncode == 1 and failed.stderr.startswith(
        'error: config configs/absent.py does not exist'
    )
    assert failed.stderr.count('\n') == 1
