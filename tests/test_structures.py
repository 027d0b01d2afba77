"""Data samples, tokens and features."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from small_models import build_plain, clouds
from torch import Tensor

from point_peft.ops import farthest_point_sample, gather
from point_peft.structures import BackboneFeatures, PointDataSample, PointTokens, TokenStage


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


def fields(value: PointTokens) -> list[Tensor]:
    """What the tokens hold of every group."""
    return [value.features, value.centers, value.neighborhoods, value.center_index]


def hierarchy() -> PointTokens:
    """Three tokens, merged into two and then into one."""
    fine = tokens()
    stages = [TokenStage(fine.centers[:, :count], torch.zeros(2, count, 2).long()) for count in (2, 1)]
    return dataclasses.replace(fine, coarser=tuple(stages))


def test_first_by_hand() -> None:
    """The first two of three groups, of every field."""
    first = tokens().first(2)
    assert [tuple(value.shape) for value in fields(first)] == [(2, 2, 4), (2, 2, 3), (2, 2, 5, 3), (2, 2)]
    assert first.center_index.tolist() == [[0, 1], [0, 1]]
    assert all(value.max() == 1 for value in fields(first))
    assert first.coarser == () and first.sampling_rank is None


def test_first_in_another_order_by_hand() -> None:
    """Of groups that farthest point sampling picked third, first and second: the last two, in that order."""
    first = dataclasses.replace(tokens(), sampling_rank=torch.tensor([[2, 0, 1], [0, 1, 2]])).first(2)
    assert first.center_index.tolist() == [[1, 2], [0, 1]] and first.sampling_rank is None
    for value in fields(first):
        assert torch.equal(
            value.float().flatten(2).amax(-1) if value.dim() > 2 else value, first.center_index
        )


def test_reorder_by_hand() -> None:
    """Every field follows, per sample."""
    index, rank = torch.tensor([[2, 0], [1, 1]]), torch.tensor([[1, 0], [0, 1]])
    moved = tokens().reorder(index, sampling_rank=rank)
    assert moved.center_index.tolist() == [[2, 0], [1, 1]] and moved.sampling_rank is rank
    assert moved.features[..., 3].tolist() == moved.centers[..., 2].tolist() == [[2, 0], [1, 1]]
    assert moved.neighborhoods.shape == (2, 2, 5, 3) and moved.neighborhoods[0, 0].unique().tolist() == [2]


def test_stages() -> None:
    """Finest first; the features of a hierarchy belong to its coarsest centers."""
    fine, coarse = tokens(), hierarchy()
    assert [centers.shape[1] for centers in fine.stage_centers] == [3]
    assert [centers.shape[1] for centers in coarse.stage_centers] == [3, 2, 1]
    empty = torch.zeros(2, 0, 4)
    assert torch.equal(BackboneFeatures(fine.features, fine, empty).centers, fine.centers)
    assert torch.equal(BackboneFeatures(fine.features[:, :1], coarse, empty).centers, fine.centers[:, :1])


def test_hierarchy_cannot_be_cut() -> None:
    """A coarse token would lack some of its neighbours; all of them is fine."""
    assert hierarchy().first(3).coarser != ()
    with pytest.raises(ValueError, match=r'cannot be cut to 2 of 3 groups; set num_prior_groups=None'):
        hierarchy().first(2)


@pytest.mark.parametrize('num_groups', [1, 5, 8])
@pytest.mark.parametrize('name', ['PointMAE', 'PointGPT'])
def test_first_equals_fewer_groups(name: str, num_groups: int) -> None:
    """Farthest point sampling is incremental: the first groups are those of a coarser sampling, bit for bit."""
    points = clouds()
    backbone = build_plain(name)
    with torch.no_grad():
        fine = backbone.embed(points).first(num_groups)
        backbone.num_groups = num_groups
        coarse = backbone.embed(points)
    if coarse.sampling_rank is not None:  # they stand in a row; put them in the order of sampling
        coarse = coarse.reorder(coarse.sampling_rank.argsort(dim=1))
    expected = gather(points, farthest_point_sample(points, num_groups))
    assert torch.equal(fine.centers, expected)
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
        return BackboneFeatures(torch.zeros(1, 2, 4), tokens(2), torch.zeros(1, 1, 4))

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
