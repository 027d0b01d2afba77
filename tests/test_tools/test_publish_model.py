"""Publishing a pre-trained encoder."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from point_peft.backbones import PointMAE
from point_peft.backbones.pretrained import load_pretrained
from point_peft.io.errors import NonFiniteWeightsError
from point_peft.io.weights import load_checkpoint_file

SIZES = dict(
    class_token=False, embed_dim=16, depth=2, num_heads=2, num_groups=16, group_size=8, patch_dims=(8, 8, 16)
)


def publish(
    load_tool: Callable[[str], ModuleType], tmp_path: Path, *, half: bool, scale: float = 1.0
) -> PointMAE:
    """Publish the encoder of a masked autoencoder, whose first linear layer is scaled."""
    torch.manual_seed(0)
    encoder = PointMAE(**SIZES)
    with torch.no_grad():
        encoder.layers[0].mlp.fc1.weight.mul_(scale)
    state = {f'MAE_encoder.{name}': value for name, value in encoder.state_dict().items()}
    meta = dict(epoch=3, seed=0)
    torch.save(dict(state_dict={**state, 'decoder.weight': torch.zeros(2)}, meta=meta), tmp_path / 'src.pth')
    args = argparse.Namespace(
        checkpoint=str(tmp_path / 'src.pth'), out=str(tmp_path / 'out.safetensors'), half=half
    )
    load_tool('model_converters/publish_model.py').main(args)
    return encoder


@pytest.mark.parametrize('half', [False, True])
def test_encoder_alone(load_tool: Callable[[str], ModuleType], tmp_path: Path, half: bool) -> None:
    """The file has the encoder, all of it, and where it comes from; 16 bits are read into 32-bit parameters."""
    encoder = publish(load_tool, tmp_path, half=half)
    content = load_checkpoint_file(tmp_path / 'out.safetensors')
    assert content['meta']['provenance']['epoch'] == 3
    other = PointMAE(**SIZES)
    assert set(load_pretrained(other, tmp_path / 'out.safetensors')) == set(encoder.state_dict())
    for name, value in encoder.state_dict().items():
        loaded = other.state_dict()[name]
        assert loaded.dtype == value.dtype
        torch.testing.assert_close(loaded, value.half().to(value.dtype) if half else value, rtol=0, atol=0)


def test_too_large_for_half(load_tool: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """A number that 16 bits cannot hold is refused instead of stored as infinity."""
    with pytest.raises(NonFiniteWeightsError, match='as 16-bit floats'):
        publish(load_tool, tmp_path, half=True, scale=1e8)
    assert not (tmp_path / 'out.safetensors').exists()
