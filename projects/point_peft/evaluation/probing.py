"""How much frozen features know of classes: linear probe, nearest neighbours, retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

NUM_NEIGHBORS = 5
"""Neighbours that vote."""

STRENGTH = 1.0
"""Inverse of the L2 penalty of the logistic regression, as scikit-learn's ``C``."""

LBFGS_STEPS = 200
"""Steps of the optimizer at most; it stops earlier where nothing changes."""


@dataclass(frozen=True)
class LabelledFeatures:
    """Features of some objects and their classes.

    Attributes:
        values (Tensor): (M, D) float32.
        labels (Tensor): (M,) int64.
    """

    values: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.labels)

    def take(self, index: Sequence[int] | np.ndarray) -> LabelledFeatures:
        """The objects at the positions ``index``."""
        chosen = torch.as_tensor(np.asarray(index), dtype=torch.int64)
        return LabelledFeatures(self.values[chosen], self.labels[chosen])


@dataclass(frozen=True)
class ProbeResult:
    """Percentages that say how good features are.

    Attributes:
        linear (float): accuracy of a logistic regression on all training labels.
        shots (dict[int, list[float]]): the same on so many labels per class; one value per draw.
        knn (float): accuracy of the vote of the nearest training objects.
        retrieval (float): mean average precision of finding the objects of the same class in the test set.
    """

    linear: float
    knn: float
    retrieval: float
    shots: dict[int, list[float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, float]:
        """Means by a short name: ``linear``, ``linear_10_shot``, ``knn``, ``retrieval_map``."""
        few = {f'linear_{shots}_shot': float(np.mean(values)) for shots, values in self.shots.items()}
        return {'linear': self.linear, **few, 'knn': self.knn, 'retrieval_map': self.retrieval}


def probe(
    train: LabelledFeatures,
    test: LabelledFeatures,
    *,
    shots: Sequence[int] = (1, 5, 10),
    draws: int = 5,
    seed: int = 0,
) -> ProbeResult:
    """Measure features.

    Args:
        train (LabelledFeatures): objects whose labels may be used.
        test (LabelledFeatures): objects whose labels are to be told.
        shots (Sequence[int]): labels per class of the few-shot probes; a class with fewer objects gives all.
        draws (int): choices of those labels.
        seed (int): seed of the first choice.
    """
    few = {
        count: [
            linear_accuracy(train.take(draw(train.labels, count, seed=seed + number)), test)
            for number in range(draws)
        ]
        for count in shots
    }
    return ProbeResult(
        linear_accuracy(train, test), knn_accuracy(train, test), retrieval_precision(test), few
    )


@dataclass(frozen=True)
class LinearClassifier:
    """A multinomial logistic regression on standardised features.

    Attributes:
        mean (Tensor): (D,) of the training features.
        scale (Tensor): (D,) their standard deviation.
        weights (Tensor): (D + 1, classes), the biases last.
    """

    mean: Tensor
    scale: Tensor
    weights: Tensor

    @classmethod
    def fit(cls, train: LabelledFeatures, *, strength: float = STRENGTH) -> LinearClassifier:
        """Fit it.

        The penalty is on the weights and not on the biases: half their squared sum over ``strength``, against the sum
        of the cross-entropies, as in scikit-learn.
        """
        mean, scale = train.values.mean(dim=0), train.values.std(dim=0, correction=0)
        scale = torch.where(scale > 1e-6, scale, torch.ones_like(scale))  # constant features stay out
        weights = torch.zeros(len(mean) + 1, int(train.labels.max()) + 1, requires_grad=True)
        fitted = cls(mean, scale, weights)
        inputs = fitted._inputs(train)
        optimizer = torch.optim.LBFGS([weights], max_iter=LBFGS_STEPS, line_search_fn='strong_wolfe')

        def objective() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(inputs @ weights, train.labels, reduction='sum')
            loss = loss + weights[:-1].square().sum() / (2 * strength)
            loss.backward()
            return loss

        with torch.enable_grad():
            optimizer.step(objective)
        return cls(mean, scale, weights.detach())

    def accuracy(self, test: LabelledFeatures) -> float:
        """Accuracy in percent; a class that was not seen in training is never told."""
        return _percent((self._inputs(test) @ self.weights).argmax(dim=1) == test.labels)

    def _inputs(self, features: LabelledFeatures) -> Tensor:
        return F.pad((features.values - self.mean) / self.scale, (0, 1), value=1.0)


def linear_accuracy(train: LabelledFeatures, test: LabelledFeatures, *, strength: float = STRENGTH) -> float:
    """Accuracy in percent of a :class:`LinearClassifier` that is fitted to ``train``, on ``test``."""
    return LinearClassifier.fit(train, strength=strength).accuracy(test)


def knn_accuracy(train: LabelledFeatures, test: LabelledFeatures, *, k: int = NUM_NEIGHBORS) -> float:
    """Accuracy in percent of the vote of the ``k`` nearest training objects by cosine, the nearer ones weigh more."""
    center = train.values.mean(dim=0)
    cosine = _directions(test, center) @ _directions(train, center).T  # (Q, M)
    near, index = cosine.topk(min(k, len(train)), dim=1)
    votes = torch.zeros(len(test), int(max(train.labels.max(), test.labels.max())) + 1)
    votes.scatter_add_(1, train.labels[index], near + 1)
    return _percent(votes.argmax(dim=1) == test.labels)


def retrieval_precision(features: LabelledFeatures) -> float:
    """Mean average precision in percent: each object asks for the others of its class, ranked by cosine.

    Objects that are alone in their class do not ask.
    """
    directions = _directions(features, features.values.mean(dim=0))
    cosine = directions @ directions.T
    cosine.fill_diagonal_(-2)  # an object does not find itself
    order = cosine.argsort(dim=1, descending=True)[:, :-1]
    right = (features.labels[order] == features.labels[:, None]).float()
    precision = right.cumsum(dim=1) / torch.arange(1, right.shape[1] + 1)
    wanted = right.sum(dim=1)
    asks = wanted > 0
    if not asks.any():
        return float('nan')
    return 100 * float(((precision * right).sum(dim=1)[asks] / wanted[asks]).mean())


def draw(labels: Tensor, shots: int, *, seed: int) -> np.ndarray:
    """Positions of ``shots`` random objects of every class; of a class with fewer, all."""
    rng = np.random.default_rng(seed)
    own = labels.numpy()
    return np.concatenate([rng.permutation(np.flatnonzero(own == label))[:shots] for label in np.unique(own)])


def effective_rank(values: Tensor) -> float:
    """Dimensions that features (M, D) really use: exponential of the entropy of their variances; 1 is a collapse.

    Source: Roy and Vetterli, The effective rank (EUSIPCO 2007).
    """
    variances = torch.linalg.svdvals(values - values.mean(dim=0)).square()
    total = variances.sum()
    if total <= 1e-12:
        return 1.0
    share = variances / total
    return float(torch.exp(-(share * share.clamp_min(1e-12).log()).sum()))


def _directions(features: LabelledFeatures, center: Tensor) -> Tensor:
    """Unit vectors (M, D) from ``center`` to the features."""
    return F.normalize(features.values - center, dim=1)


def _percent(right: Tensor) -> float:
    """Share of True in percent."""
    return 100 * float(right.float().mean())
