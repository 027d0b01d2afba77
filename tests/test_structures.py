"""Data samples, tokens and features."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from small_models import build_plain, clouds
from torch import Tensor

from point_peft.structures import BackboneFeatures, PointDataSample, PointTokens


def tokens(groups: int = 3) -> PointTokens:
    """Tokens whose values name their group."""
    index = torch.arange(groups)
    values = index.view(1, -1, 1).float()
    return PointTokens(
        features=values.expand(2, -1, 4),
        centers=values.expand(2, -1, 3),
        neighborhoods=values.unsqueeze(-1).expand(2, -1, 5, 3),
        center_index=index.expand(2, -1),
    )


def test_first_by_hand() -> None:
    """The first two of three groups, of every field."""
    first = tokens().first(2)
    shapes = [tuple(value.shape) for value in vars(first).values()]
    assert shapes == [(2, 2, 4), (2, 2, 3), (2, 2, 5, 3), (2, 2)]
    assert first.center_index.tolist() == [[0, 1], [0, 1]]
    assert all(value.max() == 1 for value in vars(first).values())


@pytest.mark.parametrize('num_groups', [1, 5, 8])
def test_first_equals_fewer_groups(num_groups: int) -> None:
    """Farthest point sampling is incremental: the first groups are those of a coarser sampling, bit for bit."""
    points = clouds()
    backbone = build_plain()
    with torch.no_grad():
        fine = backbone.embed(points).first(num_groups)
        backbone.num_groups = num_groups
        coarse = backbone.embed(points)
    for name in ('centers', 'neighborhoods', 'center_index'):
        assert torch.equal(getattr(fine, name), getattr(coarse, name))
    torch.testing.assert_close(fine.features, coarse.features, atol=1e-6, rtol=0)


def test_first_of_more_than_there_are() -> None:
    """Asking for more groups gives all of them: a small backbone is its own prior."""
    assert tokens().first(64).centers.shape == (2, 3, 3)


def test_tokens_cannot_be_changed() -> None:
    """Tokens are shared by methods, so none may replace a field."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        tokens().centers = torch.zeros(2, 3, 3)


def test_hidden_features_are_not_shared() -> None:
    """Every result has a dict of its own."""

    def features() -> BackboneFeatures:
        return BackboneFeatures(torch.zeros(1, 2, 4), torch.zeros(1, 2, 3), torch.zeros(1, 1, 4))

    first, second = features(), features()
    first.hidden[3] = torch.ones(1)
    assert second.hidden == {}


def test_data_sample() -> None:
    """Labels are data, the source is metainfo, and a missing field is an error."""
    sample = PointDataSample(metainfo=dict(source='a.h5[3]', sample_idx=3))
    sample.gt_label = torch.tensor(2)
    assert isinstance(sample.gt_label, Tensor) and sample.keys() == ['gt_label']
    assert sample.get('source') == 'a.h5[3]' and set(sample.metainfo_keys()) == {'source', 'sample_idx'}
    with pytest.raises(AttributeError, match='pred_label'):
        _ = sample.pred_label
