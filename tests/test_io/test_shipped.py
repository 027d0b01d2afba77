"""Where the files are that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from point_peft.apis import init_model
from point_peft.engine.config import load_config
from point_peft.engine.preflight import check_files
from point_peft.io.shipped import CONFIGS, ROOT, TOOLS, call_of, find_weights, shipped_root
from point_peft.io.weights import load_checkpoint_file

MINI = 'checkpoints/pointmae_mini.safetensors'


def test_root(tmp_path: Path) -> None:
    """The directory in the package comes before the repository around it."""
    package = tmp_path / 'projects' / 'point_peft'
    package.mkdir(parents=True)
    assert shipped_root(package) == tmp_path
    (package / '.mim').mkdir()
    assert shipped_root(package) == package / '.mim'
    assert (CONFIGS / '_base_').is_dir() and (TOOLS / 'train.py').is_file()


def test_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of one's own counts first; nothing but files of weights is looked up."""
    monkeypatch.chdir(tmp_path)
    assert find_weights(MINI) == ROOT / MINI
    for other in ('checkpoints/other.pth', 'README.md', 'checkpoints/../README.md', str(tmp_path / MINI)):
        assert find_weights(other) == Path(other)
    (tmp_path / MINI).parent.mkdir()
    (tmp_path / MINI).write_bytes(b'own')
    assert find_weights(MINI) == Path(MINI)


def test_config_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name finds config and weights from any directory, and the config keeps the path as it is written there."""
    monkeypatch.chdir(tmp_path)
    cfg = load_config('point_peft/pointmae_mini_shapes')
    check_files(cfg)
    model = init_model(cfg)
    assert MINI in cfg.pretty_text and str(ROOT) not in cfg.pretty_text
    state = load_checkpoint_file(MINI)['state_dict']
    loaded = {name: value for name, value in model.backbone.backbone.base_state().items()}
    assert loaded and all(torch.equal(value, state[name].float()) for name, value in loaded.items())


def test_call_of_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a message says can be typed in as it stands, in a repository and without one."""
    tools = 'infer.py', 'build_memory_bank.py', 'misc/print_config.py', 'experiments/run.py'
    assert [call_of(tool) for tool in tools] == [f'python tools/{tool}' for tool in tools]
    monkeypatch.setattr('point_peft.io.shipped.ROOT', Path('site-packages/point_peft/.mim'))
    assert [call_of(tool) for tool in tools] == [
        f'point-peft {command}' for command in ('infer', 'bank', 'print-config', 'experiment')
    ]
