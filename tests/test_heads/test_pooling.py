"""Pooling of tokens."""

from __future__ import annotations

import pytest
import torch

from point_peft.heads.pooling import POOLS, pool_tokens, pooled_width
from point_peft.structures import BackboneFeatures, PointTokens


@pytest.fixture
def features() -> BackboneFeatures:
    """Two patch tokens, two prefix tokens of which the second is the class token, C = 2."""
    patches = torch.tensor([[[1.0, 5.0], [3.0, -5.0]]])
    return BackboneFeatures(
        patches=patches,
        tokens=PointTokens(patches, torch.zeros(1, 2, 3), torch.zeros(1, 2, 4, 3), torch.zeros(1, 2).long()),
        prefix=torch.tensor([[[7.0, 8.0], [9.0, 10.0]]]),
        class_index=1,
    )


@pytest.mark.parametrize(
    ('parts', 'expected'),
    [
        (['max'], [3, 5]),
        (['mean'], [2, 0]),
        (['max_but_first'], [3, -5]),
        (['cls'], [9, 10]),
        (['sum'], [5, 5]),
        (['prefix'], [7, 8, 9, 10]),
        (['prefix', 'max'], [7, 8, 9, 10, 3, 5]),
        (['mean', 'max'], [2, 0, 3, 5]),
        (['cls', 'max'], [9, 10, 3, 5]),
    ],
)
def test_by_hand(features: BackboneFeatures, parts: list[str], expected: list[float]) -> None:
    """The parts, in the order given."""
    assert pool_tokens(features, parts)[0].tolist() == expected


def test_kept_tokens(features: BackboneFeatures) -> None:
    """The last prefix token is one of a tuning method."""
    features.num_kept = 1
    assert pool_tokens(features, ['own_prefix', 'max_with_kept'])[0].tolist() == [7, 8, 9, 10]
    assert pooled_width(['own_prefix', 'max_with_kept'], 2, 2, 1) == 4
    assert pool_tokens(features, ['kept_mean'])[0].tolist() == [9, 10]
    with pytest.raises(ValueError, match="has 'kept_mean', but no tuning method keeps tokens"):
        pooled_width(['kept_mean'], 2, 2)
    with pytest.raises(ValueError, match="has 'cls', but the backbone has no class token"):
        pooled_width(['cls'], 2, 1, 1)


def test_order_of_tokens(features: BackboneFeatures) -> None:
    """Patch tokens are a set."""
    before = pool_tokens(features, ['max', 'mean', 'sum'])
    features.patches = features.patches.flip(1)
    assert torch.equal(pool_tokens(features, ['max', 'mean', 'sum']), before)


@pytest.mark.parametrize('parts', [*([part] for part in POOLS), ['prefix', 'max'], ['cls', 'sum', 'mean']])
def test_width(features: BackboneFeatures, parts: list[str]) -> None:
    """The width is that of the pooled feature, for every part."""
    features.num_kept = 1
    assert pooled_width(parts, 2, 2, 1) == pool_tokens(features, parts).shape[1]


def test_width_without_prefix_tokens(features: BackboneFeatures) -> None:
    """All of no prefix tokens is nothing; a class token there must be."""
    features.prefix = features.prefix[:, :0]
    assert pooled_width(['prefix', 'max'], 2, 0) == pool_tokens(features, ['prefix', 'max']).shape[1] == 2
    with pytest.raises(
        ValueError, match=r"pool=\('cls', 'max'\) has 'cls', but the backbone has no class token"
    ):
        pooled_width(['cls', 'max'], 2, 0)


def test_unknown_part(features: BackboneFeatures) -> None:
    """The message lists what there is."""
    message = r"\['median'\] are unknown; choose among \['cls', .*'max', .*'prefix', 'sum'\]"
    with pytest.raises(ValueError, match=message):
        pool_tokens(features, ['max', 'median'])
    with pytest.raises(ValueError, match=message):
        pooled_width(['max', 'median'], 2, 1)
