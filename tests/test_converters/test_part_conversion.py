"""Conversion of published part segmentation models."""

from __future__ import annotations

import published
import pytest
import torch

from point_peft.converters.conversion import convert_checkpoint
from point_peft.io.errors import CheckpointError


@pytest.mark.parametrize('parts', [(2, 3, 1, 4), (5, 1)])
@pytest.mark.parametrize('backbone', published.SIZES)
def test_part_segmentation(backbone: str, parts: tuple[int, ...]) -> None:
    """Every tensor comes to its place, whatever the sizes of the decoder, the categories and the parts."""
    model = published.build_segmentor(backbone, parts=parts)
    conversion = convert_checkpoint(published.finetuned(model), source='best.pth')
    assert conversion.skipped == conversion.missed == []
    name = backbone.lower() if backbone != 'PointGPT' else 'pointgpt_*'
    assert conversion.config == f'configs/full/{name}_*_part.py'
    expected = model.state_dict()
    assert conversion.state_dict.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in conversion.state_dict.items())


@pytest.mark.parametrize(
    ('backbone', 'name'),
    [
        ('PointMAE', 'propagation_0.mlp_convs.0.weight'),
        ('ReCon', 'convs3.bias'),
        ('PointM2AE', 'label_conv.0.weight'),
        ('PointBERT', 'conv2.bias'),
        ('PointGPT', 'norm.weight'),
    ],
)
def test_incomplete_part_segmentation(backbone: str, name: str) -> None:
    """A file that lacks what sizes are read from: its name is in the message."""
    state = published.finetuned(published.build_segmentor(backbone))
    del state[name]
    with pytest.raises(CheckpointError, match=rf'has no {name}, so it is incomplete'):
        convert_checkpoint(state, source='half.pth')
