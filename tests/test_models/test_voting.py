"""Voting: the mean of what a model says about scaled copies."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import BACKBONE, build_classifier, clouds, logits, samples
from small_part_models import allowed_parts, build_segmentor, part_batch, part_logits
from torch import Tensor, nn

from point_peft.models import PartSegmentor, PointDataPreprocessor, VotingModel
from point_peft.registry import MODELS


def draws(
    votes: int, axes: int, *, low: float, high: float, translate: float, seed: int
) -> list[tuple[Tensor, Tensor]]:
    """Factors and offsets of the copies, drawn as promised: all factors, then all offsets."""
    generator = torch.Generator().manual_seed(seed)
    factors = low + (high - low) * torch.rand(votes, axes, generator=generator)
    offsets = translate * (2 * torch.rand(votes, 3, generator=generator) - 1)
    return list(zip(factors, offsets))


@pytest.mark.parametrize(('isotropic', 'translate', 'seed'), [(True, 0.0, 0), (False, 0.3, 5)])
def test_mean_of_probabilities(isotropic: bool, translate: float, seed: int) -> None:
    """Softmax of the logits is the mean over the copies of the model's softmax, for both tasks."""
    options = dict(scale=(0.5, 2.0), translate=translate, isotropic=isotropic, seed=seed)
    copies = draws(4, 1 if isotropic else 3, low=0.5, high=2.0, translate=translate, seed=seed)
    inputs, _ = part_batch(3)
    for model in (build_classifier(), build_segmentor()):
        with torch.no_grad():
            expected = sum(
                model({**inputs, 'points': inputs['points'] * factor + offset}).softmax(dim=-1)
                for factor, offset in copies
            )
        found = part_logits(VotingModel(model, 4, **options), inputs)
        torch.testing.assert_close(found.exp(), expected / 4)
        torch.testing.assert_close(found.softmax(dim=-1), expected / 4)


def test_default_scales() -> None:
    """Ten copies, one factor each, within the published range; nothing is moved."""
    voting = VotingModel(build_classifier())
    assert voting.num_votes == 10 and voting.factors.shape == (10, 1)
    assert bool((voting.factors >= 0.8).all()) and bool((voting.factors <= 1.25).all())
    assert voting.factors.unique().numel() == 10 and not voting.offsets.any()


def test_one_vote_without_scaling() -> None:
    """Is the model itself."""
    model = build_classifier()
    found = logits(VotingModel(model, 1, scale=(1.0, 1.0)), clouds())
    torch.testing.assert_close(found, logits(model, clouds()).log_softmax(dim=-1))


def test_reproducible() -> None:
    """The seed decides the copies, which are the same in every batch and leave the random generators alone."""
    model = build_classifier()
    first, same, other = (logits(VotingModel(model, 3, seed=seed), clouds()) for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.allclose(first, other)
    voting = VotingModel(model, 3)
    before = torch.get_rng_state()
    alone = torch.cat([logits(voting, cloud[None]) for cloud in clouds()])
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(alone, first)


def test_further_channels() -> None:
    """Coordinates alone are scaled."""
    seen = []

    class Recorder(nn.Module):
        def forward(self, inputs: dict[str, Tensor], mode: str) -> Tensor:
            seen.append(inputs['points'])
            return inputs['points'].sum(dim=1)

    points = torch.randn(2, 5, 6)
    VotingModel(Recorder(), 2)(dict(points=points))
    for copy in seen:
        assert torch.equal(copy[..., 3:], points[..., 3:])
        assert not torch.allclose(copy[..., :3], points[..., :3])


def test_predictions_of_a_classifier() -> None:
    """Scores are the mean probabilities."""
    voting, given = VotingModel(build_classifier(), 3), samples([0, 1, 2, 3])
    with torch.no_grad():
        found = voting(dict(points=clouds()), given, mode='predict')
    assert found == given
    mean = logits(voting, clouds()).exp()
    torch.testing.assert_close(torch.stack([sample.pred_scores for sample in found]), mean)
    assert torch.equal(torch.stack([sample.pred_label for sample in found]), mean.argmax(dim=1))


def test_predictions_of_parts() -> None:
    """Among the parts of the category, by the mean probabilities."""
    voting = VotingModel(build_segmentor(), 3)
    inputs, given = part_batch()
    with torch.no_grad():
        found = voting(inputs, given, mode='predict')
    mean = part_logits(voting, inputs)
    for index, sample in enumerate(found):
        parts = list(allowed_parts(int(sample.category)))
        assert torch.equal(sample.pred_part, mean[index][:, parts].argmax(dim=1) + parts[0])


def test_test_step() -> None:
    """A batch of a data loader goes through the model's own preprocessor."""
    model = build_segmentor()
    model.data_preprocessor = PointDataPreprocessor()
    inputs, given = part_batch(2)
    batch: dict[str, Any] = dict(
        inputs=dict(points=list(inputs['points']), category=list(inputs['category'])), data_samples=given
    )
    voting = VotingModel(model, 2)
    with torch.no_grad():
        found = voting.test_step(batch)
        expected = voting(inputs, part_batch(2)[1], mode='predict')
    assert all(torch.equal(a.pred_part, b.pred_part) for a, b in zip(found, expected))


def test_from_a_config() -> None:
    """The model can be given as its config."""
    model = MODELS.build(
        dict(
            type='VotingModel',
            module=dict(
                type='PartSegmentor',
                backbone=BACKBONE,
                head=dict(type='PlainPartSegHead', parts_per_category=(2, 3)),
            ),
            num_votes=2,
        )
    )
    assert isinstance(model.module, PartSegmentor)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_votes=0), 'num_votes=0 must be at least 1; leave voting out'),
        (dict(scale=(1.2, 0.8)), r'scale=\(1\.2, 0\.8\) must be two positive factors'),
        (dict(scale=(0.0, 1.0)), r'scale=\(0\.0, 1\.0\) must be two positive factors'),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    """One sentence each."""
    with pytest.raises(ValueError, match=message):
        VotingModel(build_classifier(), **options)


def test_no_training() -> None:
    """There is no loss."""
    with pytest.raises(ValueError, match="mode='loss' is unknown to VotingModel; use 'tensor' or 'predict'"):
        VotingModel(build_classifier())(dict(points=clouds()), mode='loss')
