"""Pooling of tokens."""

from __future__ import annotations

import pytest
import torch

from point_peft.heads.pooling import pool_tokens
from point_peft.structures import BackboneFeatures


@pytest.fixture
def features() -> BackboneFeatures:
    """Two patch tokens, two prefix tokens, C = 2."""
    return BackboneFeatures(
        patches=torch.tensor([[[1.0, 5.0], [3.0, -5.0]]]),
        centers=torch.zeros(1, 2, 3),
        prefix=torch.tensor([[[7.0, 8.0], [9.0, 10.0]]]),
    )


@pytest.mark.parametrize(
    ('parts', 'expected'),
    [
        (['max'], [3, 5]),
        (['mean'], [2, 0]),
        (['prefix'], [7, 8, 9, 10]),
        (['prefix', 'max'], [7, 8, 9, 10, 3, 5]),
        (['mean', 'max'], [2, 0, 3, 5]),
    ],
)
def test_by_hand(features: BackboneFeatures, parts: list[str], expected: list[float]) -> None:
    """The parts, in the order given."""
    assert pool_tokens(features, parts)[0].tolist() == expected


def test_order_of_tokens(features: BackboneFeatures) -> None:
    """Patch tokens are a set."""
    before = pool_tokens(features, ['max', 'mean'])
    features.patches = features.patches.flip(1)
    assert torch.equal(pool_tokens(features, ['max', 'mean']), before)


def test_unknown_part(features: BackboneFeatures) -> None:
    """The message lists what there is."""
    with pytest.raises(
        ValueError, match=r"\['median'\] are unknown; choose among \['max', 'mean', 'prefix'\]"
    ):
        pool_tokens(features, ['max', 'median'])
