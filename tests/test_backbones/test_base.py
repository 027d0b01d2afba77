"""What every backbone shares: where its weights come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_models import BACKBONE, build_plain, clouds, scramble

from point_peft.backbones import PointBackbone, PointMAE
from point_peft.io.errors import MissingFileError


def small(**changes: object) -> PointMAE:
    """A small backbone at its initial values."""
    torch.manual_seed(0)
    return PointMAE(**{name: value for name, value in (BACKBONE | changes).items() if name != 'type'})


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Weights of a small encoder as published, which has no class token."""
    encoder = small(class_token=False)
    scramble(encoder)
    file = tmp_path / 'pretrain.pth'
    torch.save({'base_model': {f'module.MAE_encoder.{k}': v for k, v in encoder.state_dict().items()}}, file)
    return file


def test_forward_is_embed_then_encode() -> None:
    """The two halves together are the forward."""
    backbone, points = build_plain(), clouds()
    with torch.no_grad():
        whole, halves = backbone(points), backbone.encode(backbone.embed(points))
    assert torch.equal(whole.patches, halves.patches) and torch.equal(whole.prefix, halves.prefix)


def test_init_weights(checkpoint: Path, log: list) -> None:
    """The file's tensors arrive, those that it lacks keep their values, and the log names them."""
    backbone = small(init_cfg=dict(type='Pretrained', checkpoint=str(checkpoint)))
    before = backbone.cls_token.detach().clone()
    assert backbone.base_state() == {}
    backbone.init_weights()
    encoder = torch.load(checkpoint, weights_only=True)['base_model']
    assert set(backbone.base_state()) == set(backbone.state_dict()) - {'cls_token', 'cls_pos'}
    for name, value in backbone.base_state().items():
        assert torch.equal(value, encoder[f'module.MAE_encoder.{name}'])
    assert torch.equal(backbone.cls_token, before)
    assert any("kept at their initial values: ['cls_token', 'cls_pos']" in message for _, message in log)


def test_init_weights_once(checkpoint: Path) -> None:
    """A second call does not undo training."""
    backbone = small(init_cfg=dict(type='Pretrained', checkpoint=str(checkpoint)))
    backbone.init_weights()
    with torch.no_grad():
        backbone.norm.weight.fill_(3)
    backbone.init_weights()
    assert backbone.norm.weight.eq(3).all()


def test_without_checkpoint(log: list) -> None:
    """Random weights are no base, and the log says that they are random."""
    backbone = small()
    backbone.init_weights()
    assert backbone.base_state() == {}
    assert [message for _, message in log] == [
        'PointMAE starts from random weights: its config names no checkpoint.'
    ]


def test_missing_checkpoint(tmp_path: Path) -> None:
    """Building needs no file; loading names the missing one and a config that needs none."""
    backbone = small(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'absent.pth')))
    with pytest.raises(MissingFileError, match=r'absent\.pth does not exist.*pointmae_mini_shapes'):
        backbone.init_weights()


def test_unknown_init_cfg() -> None:
    """Other ways to initialise are refused by name."""
    with pytest.raises(ValueError, match="init_cfg type='Kaiming' is unknown"):
        small(init_cfg=dict(type='Kaiming'))


def test_contract_is_abstract() -> None:
    """A backbone that leaves out part of the contract cannot be built."""

    class Half(PointBackbone):
        embed_dim = 8

        def embed(self, points: torch.Tensor) -> None:
            """Only this."""

    with pytest.raises(TypeError, match=r'abstract'):
        Half()
