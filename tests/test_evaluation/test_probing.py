"""Probes of frozen features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from point_peft.evaluation.probing import (
    LabelledFeatures,
    draw,
    effective_rank,
    knn_accuracy,
    linear_accuracy,
    probe,
    retrieval_precision,
)


def blobs(count: int, *, spread: float, seed: int, classes: int = 3, dim: int = 8) -> LabelledFeatures:
    """Clouds of features about one center per class."""
    rng = torch.Generator().manual_seed(seed)
    centers = torch.randn(classes, dim, generator=torch.Generator().manual_seed(99)) * 3
    labels = torch.arange(count) % classes
    return LabelledFeatures(centers[labels] + spread * torch.randn(count, dim, generator=rng), labels)


def test_separated_classes_are_told_by_all_probes() -> None:
    """All percentages are 100, with one label per class too."""
    result = probe(blobs(60, spread=0.1, seed=0), blobs(30, spread=0.1, seed=1), shots=(1, 5), draws=3)
    assert result.as_dict() == pytest.approx(
        dict(linear=100, linear_1_shot=100, linear_5_shot=100, knn=100, retrieval_map=100), abs=1e-4
    )
    assert len(result.shots[5]) == 3


def test_noise_is_told_by_chance() -> None:
    """Features without classes in them give about a third."""
    train, test = (LabelledFeatures(torch.randn(600, 4), torch.arange(600) % 3) for _ in range(2))
    result = probe(train, test, shots=(), draws=1)
    assert 25 < result.linear < 42 and 25 < result.knn < 42 and 30 < result.retrieval < 37


@pytest.mark.parametrize('strength', [0.01, 1.0])
def test_logistic_regression_is_at_its_minimum(strength: float) -> None:
    """Accuracy as of a slow gradient descent on the same loss."""
    train, test = blobs(45, spread=4.0, seed=2), blobs(300, spread=4.0, seed=3)
    mean, scale = train.values.mean(0), train.values.std(0, correction=0)
    x, q = ((part.values - mean) / scale for part in (train, test))
    weights, bias = torch.zeros(8, 3, requires_grad=True), torch.zeros(3, requires_grad=True)
    for _ in range(3000):
        loss = torch.nn.functional.cross_entropy(x @ weights + bias, train.labels, reduction='sum')
        loss = loss + weights.square().sum() / (2 * strength)
        for parameter, gradient in zip((weights, bias), torch.autograd.grad(loss, (weights, bias))):
            parameter.data -= 0.01 * gradient
    slow = 100 * ((q @ weights + bias).argmax(1) == test.labels).float().mean().item()
    assert linear_accuracy(train, test, strength=strength) == pytest.approx(slow, abs=0.7)


def test_scale_and_constant_features_do_not_matter() -> None:
    """Features are standardised; those that never change stay out."""
    train, test = blobs(60, spread=3.0, seed=4), blobs(60, spread=3.0, seed=5)

    def stretched(part: LabelledFeatures) -> LabelledFeatures:
        scale = torch.tensor([1e-3, 1.0, 10.0, 1.0, 5.0, 1.0, 1.0, 100.0])
        return LabelledFeatures(torch.cat([part.values * scale + 7, torch.ones(60, 2)], dim=1), part.labels)

    assert linear_accuracy(stretched(train), stretched(test)) == pytest.approx(
        linear_accuracy(train, test), abs=0.01
    )


def slow_retrieval(features: LabelledFeatures) -> float:
    """Average precision by its definition."""
    directions = features.values - features.values.mean(0)
    precisions = []
    for i in range(len(features)):
        others = [j for j in range(len(features)) if j != i]
        cosine = torch.cosine_similarity(directions[i][None], directions[others], dim=1)
        ranked = [others[j] for j in cosine.argsort(descending=True)]
        hits = [features.labels[j] == features.labels[i] for j in ranked]
        if any(hits):
            precisions.append(np.mean([sum(hits[: k + 1]) / (k + 1) for k, hit in enumerate(hits) if hit]))
    return 100 * float(np.mean(precisions))


def test_retrieval_against_its_definition() -> None:
    """Mean average precision; an object alone in its class does not ask."""
    features = blobs(20, spread=3.0, seed=6)
    labels = features.labels.clone()
    labels[0] = 9
    features = LabelledFeatures(features.values, labels)
    assert retrieval_precision(features) == pytest.approx(slow_retrieval(features), abs=1e-3)
    assert np.isnan(retrieval_precision(LabelledFeatures(torch.randn(2, 3), torch.tensor([0, 1]))))


def test_nearest_neighbours_vote() -> None:
    """Two near ones outvote a nearest one of another class; fewer than k objects all vote."""
    train = LabelledFeatures(
        torch.tensor([[1.0, 0.0], [0.9, 0.3], [0.9, -0.3], [-1.0, 0.0], [-1.0, 0.1]]),
        torch.tensor([1, 0, 0, 1, 1]),
    )
    test = LabelledFeatures(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    assert knn_accuracy(train, test, k=3) == 100
    assert knn_accuracy(train, test, k=1) == 0
    assert knn_accuracy(train, test, k=50) == 100  # those on the other side weigh nothing


def test_draw() -> None:
    """So many of every class, all of a smaller one; another seed draws others."""
    labels = torch.tensor([0] * 10 + [1] * 2 + [4] * 10)
    first, second = draw(labels, 3, seed=0), draw(labels, 3, seed=1)
    assert np.bincount(labels[first]).tolist() == [3, 2, 0, 0, 3]
    assert sorted(first) != sorted(second) and len(set(first)) == 8


@pytest.mark.parametrize(
    ('values', 'rank'),
    [(torch.ones(50, 6), 1.0), (torch.outer(torch.arange(50.0), torch.ones(6)), 1.0)],
)
def test_collapse_has_rank_one(values: Tensor, rank: float) -> None:
    """Equal features, and features on a line."""
    assert effective_rank(values) == pytest.approx(rank, abs=1e-2)


def test_rank_of_independent_features() -> None:
    """As many dimensions as there are."""
    assert effective_rank(torch.randn(5000, 6)) == pytest.approx(6, abs=0.05)
