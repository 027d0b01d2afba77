"""From a list of clouds to a batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import clouds, samples

from point_peft.models import PointDataPreprocessor
from point_peft.ops import farthest_point_sample, gather

AUGMENTS = [dict(type='ShufflePoints'), dict(type='RandomScaleTranslate', scale=(0.5, 2.0), translate=0.2)]


def batch(points: torch.Tensor) -> dict[str, Any]:
    """What ``pseudo_collate`` makes of a batch."""
    return dict(inputs=dict(points=list(points)), data_samples=samples(range(len(points))))


def test_stack() -> None:
    """Without options the clouds are stacked and the samples passed on."""
    data = batch(clouds(3))
    out = PointDataPreprocessor()(data)
    assert torch.equal(out['inputs']['points'], clouds(3)) and out['data_samples'] is data['data_samples']
    assert isinstance(data['inputs']['points'], list)  # the caller's batch is left alone
    again = PointDataPreprocessor()(dict(inputs=dict(points=clouds(3), extra=1)))
    assert torch.equal(again['inputs']['points'], clouds(3)) and again['inputs']['extra'] == 1


def test_evaluation_subsample() -> None:
    """Farthest points, always the same ones, in every training state of the random generator."""
    preprocess = PointDataPreprocessor(num_points=16, num_candidates=32, augments=AUGMENTS)
    out = preprocess(batch(clouds()), training=False)['inputs']['points']
    assert torch.equal(out, gather(clouds(), farthest_point_sample(clouds(), 16)))


@pytest.mark.parametrize(
    ('num_candidates', 'shape'), [(None, (4, 16, 3)), (32, (4, 16, 3)), (200, (4, 16, 3))]
)
def test_training_subsample(num_candidates: int | None, shape: tuple[int, ...]) -> None:
    """A random choice out of the farthest candidates; all of a smaller cloud are candidates."""
    preprocess = PointDataPreprocessor(num_points=16, num_candidates=num_candidates)
    torch.manual_seed(0)
    first, second = (preprocess(batch(clouds()), training=True)['inputs']['points'] for _ in range(2))
    assert first.shape == shape
    assert torch.equal(first, second) == (num_candidates is None)
    candidates = gather(clouds(), farthest_point_sample(clouds(), min(num_candidates or 16, 64)))
    for cloud, allowed in zip(first, candidates):
        among = (cloud[:, None] == allowed[None]).all(dim=-1)
        assert among.any(dim=1).all() and among.sum(dim=0).max() == 1  # each at most once


@pytest.mark.parametrize('training', [True, False])
def test_small_clouds_are_kept_whole(training: bool) -> None:
    """No more points than wanted: nothing to choose."""
    out = PointDataPreprocessor(num_points=64, num_candidates=100)(batch(clouds()), training=training)
    assert torch.equal(out['inputs']['points'], clouds())


def test_augments_in_training_only() -> None:
    """And every cloud is augmented on its own."""
    preprocess = PointDataPreprocessor(augments=AUGMENTS[1:])
    points = clouds(1).expand(4, -1, -1)
    assert torch.equal(preprocess(batch(points), training=False)['inputs']['points'], points)
    torch.manual_seed(0)
    out = preprocess(batch(points), training=True)['inputs']['points']
    assert (out[0] - out[1]).abs().max() > 1e-2


def test_seeded() -> None:
    """The same seed gives the same batch, subset and augmentation included."""
    preprocess = PointDataPreprocessor(num_points=16, num_candidates=32, augments=AUGMENTS)

    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return preprocess(batch(clouds()), training=True)['inputs']['points']

    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))


def test_mixed_precision_does_not_round_coordinates() -> None:
    """A training step prepares its batch under autocast, where a product with a rotation would be in half precision."""
    preprocess = PointDataPreprocessor(num_points=16, augments=[dict(type='RandomRotate', axis='z')])

    def draw(*, autocast: bool) -> torch.Tensor:
        torch.manual_seed(0)
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
            return preprocess(batch(clouds()), training=True)['inputs']['points']

    assert torch.equal(draw(autocast=True), draw(autocast=False))


def test_different_sizes() -> None:
    """The message names the source and both sizes."""
    data = batch(clouds(3))
    data['inputs']['points'][2] = clouds(1, 50)[0]
    with pytest.raises(
        ValueError, match=r'toy\.h5\[2\] has 50 points but the batch starts with 64; set num_points'
    ):
        PointDataPreprocessor()(data)
    with pytest.raises(ValueError, match='sample 2 has 50 points'):
        PointDataPreprocessor()(dict(inputs=data['inputs'], data_samples=None))


def test_fewer_candidates_than_points() -> None:
    """A contradiction in the config."""
    with pytest.raises(ValueError, match='num_candidates=8 < num_points=16'):
        PointDataPreprocessor(num_points=16, num_candidates=8)


def test_unknown_augmentation() -> None:
    """Named by the registry."""
    with pytest.raises(KeyError, match='RandomShear'):
        PointDataPreprocessor(augments=[dict(type='RandomShear')])
