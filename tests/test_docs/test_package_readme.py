"""The tuning method in the package's README, run as it stands there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from markdown_blocks import code_blocks, write_files
from small_models import BACKBONE, clouds

from point_peft.engine.config import load_config
from point_peft.engine.config.check import check_config
from point_peft.methods import PEFTBackbone
from point_peft.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / 'projects/point_peft/README.md'


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the example's files, from which they can be imported; afterwards all is forgotten."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    written = write_files(code_blocks(README, 'python'), tmp_path)
    assert [path.name for path in written] == ['ia3.py', 'ia3_shapes.py']
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    MODELS.module_dict.pop('IA3', None)
    for name in [name for name in sys.modules if name.partition('.')[0] == 'my_project']:
        del sys.modules[name]


def test_method(example: Path) -> None:
    """The config is valid; the method starts at the identity, trains its parameters alone, and can be detached."""
    config = load_config(example / 'my_project/ia3_shapes.py')
    check_config(config)
    tuned = PEFTBackbone(dict(BACKBONE, drop_path_rate=0.0), config.model.peft.methods[:1]).eval()
    points = clouds()
    plain = tuned.detach()(points).patches
    tuned.attach()
    torch.testing.assert_close(tuned(points).patches, plain, atol=0, rtol=0)

    trained = [parameter for parameter in tuned.parameters() if parameter.requires_grad]
    assert sum(parameter.numel() for parameter in trained) == BACKBONE['depth'] * 4 * BACKBONE['embed_dim']
    tuned(points).patches.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in trained)

    torch.nn.init.constant_(tuned.methods[0].scales[0], 0.5)
    assert not torch.allclose(tuned(points).patches, plain)
    torch.testing.assert_close(tuned.detach()(points).patches, plain, atol=0, rtol=0)
    tuned.attach()


def test_length_is_that_of_a_small_file() -> None:
    """A method fits in about thirty lines."""
    (method,) = [block for block in code_blocks(README, 'python') if 'class IA3' in block]
    assert len(method.splitlines()) <= 35
