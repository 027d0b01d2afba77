"""The ACT backbone: Point-MAE's network with a pre-trained class token."""

from __future__ import annotations

from pathlib import Path

import torch
from small_models import build_plain, clouds, scramble

from point_peft.backbones import ACT, PointMAE


def test_the_network_is_that_of_point_mae() -> None:
    """The same names and shapes at full size, and with the same weights the same features."""
    with torch.device('meta'):
        ours, theirs = ACT().state_dict(), PointMAE().state_dict()
    assert {name: value.shape for name, value in ours.items()} == {n: v.shape for n, v in theirs.items()}
    ours, theirs = build_plain('ACT')(clouds()), build_plain('PointMAE')(clouds())
    assert torch.equal(ours.patches, theirs.patches) and torch.equal(ours.prefix, theirs.prefix)


def test_checkpoint(tmp_path: Path) -> None:
    """Of a pre-training file the ``ACT_encoder.`` part is used, class token included."""
    source = build_plain('ACT')
    scramble(source, seed=5)
    state = {f'module.ACT_encoder.{name}': value for name, value in source.state_dict().items()}
    torch.save(
        {'base_model': state | {'module.MAE_decoder.norm.weight': torch.ones(48)}}, tmp_path / 'act.pth'
    )
    backbone = build_plain('ACT', init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'act.pth')))
    backbone.init_weights()
    assert set(backbone.base_state()) == set(source.state_dict())
    assert torch.equal(backbone(clouds()).prefix, source(clouds()).prefix)


def test_summary_uses_the_class_token() -> None:
    """It is pre-trained, so the descriptor is the maximum over the patch tokens that it takes part in."""
    backbone = build_plain('ACT')
    tokens = backbone.embed(clouds())
    before = backbone.summarize(tokens)
    assert torch.equal(before, backbone.encode(tokens).patches.amax(dim=1))
    with torch.no_grad():
        backbone.cls_token += torch.randn(48)
    assert (backbone.summarize(tokens) - before).abs().max() > 1e-3
