"""Which blocks decoders read: those of the published decoders, or those that the config of the backbone names."""

from __future__ import annotations

from typing import Any

import pytest
from small_models import build_plain, small_config_of

from point_peft.backbones import decoder_widths
from point_peft.backbones.decoding import default_decoder_layers
from point_peft.methods import PEFTBackbone
from point_peft.models import PartSegmentor
from point_peft.registry import MODELS

DEFAULTS = {
    12: [[3, 7, 11]],  # Point-MAE and those that share its decoder
    24: [[7, 15, 23]],
    4: [[0, 1, 3]],
    3: [[0, 1, 2]],
    2: [[0, 0, 1]],
    1: [[0, 0, 0]],
}


@pytest.mark.parametrize('depth', DEFAULTS)
def test_three_blocks_without_hierarchy(depth: int) -> None:
    assert default_decoder_layers([0] * depth) == DEFAULTS[depth]


def test_the_last_block_of_every_stage_of_a_hierarchy() -> None:
    assert default_decoder_layers([0] * 5 + [1] * 5 + [2] * 5) == [[4], [9], [14]]
    backbone = build_plain('PointM2AE')
    assert backbone.decoder_layers == [[0], [1], [3]] and decoder_widths(backbone) == [12, 24, 48]


@pytest.mark.parametrize('tuned', [False, True])
@pytest.mark.parametrize(('name', 'layers'), [('PointMAE', ((2, 3),)), ('PointM2AE', ((0,), (1,), (2, 3)))])
def test_the_config_of_the_backbone_names_others(name: str, layers: Any, tuned: bool) -> None:
    """Heads follow, with the widths that result."""
    peft = dict(type='PEFTBackbone', methods=[]) if tuned else None
    head = dict(type='LinearPartSegHead', parts_per_category=(2, 3))
    model = PartSegmentor(small_config_of(name, decoder_layers=layers), head, peft=peft)
    assert isinstance(model.backbone, PEFTBackbone) == tuned
    assert model.head.hidden_layers == sum(layers, ())
    assert model.head.on_tokens.in_features == (12 + 24 + 2 * 48 if name == 'PointM2AE' else 2 * 48)


WRONG = {
    'must list blocks for every stage': ('PointMAE', (1, 3)),
    r'names block 4, but they go from 0 to 3; change decoder_layers': ('PointMAE', ((1, 4),)),
    'has 2 stages, but there are 1': ('PointMAE', ((0,), (1,))),
    'has 1 stages, but there are 3': ('PointM2AE', ((0, 1, 3),)),
    'has block 2 in stage 1, but it is of 2': ('PointM2AE', ((0,), (2,), (3,))),
}


@pytest.mark.parametrize('message', WRONG)
def test_blocks_that_are_not_there(message: str) -> None:
    name, layers = WRONG[message]
    with pytest.raises(ValueError, match=message):
        _ = MODELS.build(small_config_of(name, decoder_layers=layers)).decoder_layers
