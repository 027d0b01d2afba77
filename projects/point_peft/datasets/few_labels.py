"""A training set with few labels: some objects of every class of another dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..io.errors import DatasetError, InvalidValueError
from ..registry import DATASETS
from .wrapped import WrappedDataset


@DATASETS.register_module()
class FewLabels(WrappedDataset):
    """Some objects of every class, drawn at random.

    Fewer objects are the first of more, so that curves over the number of labels are nested. Unlike :class:`FewShot` it
    keeps all classes and the test set.

    Args:
        dataset (dict): config of a classification dataset; its ``split`` should be ``train``.
        per_class (int | None): objects of every class.
        fraction (float | None): instead, the share of every class, in (0, 1]; at least one object.
        seed (int): another seed draws other objects.

    Raises:
        ValueError: neither or both of ``per_class`` and ``fraction``, or one out of range.
        DatasetError: a class has too few objects.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        *,
        per_class: int | None = None,
        fraction: float | None = None,
        seed: int = 0,
    ) -> None:
        if (per_class is None) == (fraction is None):
            raise InvalidValueError(f'per_class={per_class}, fraction={fraction}: give one of the two.')
        if per_class is not None and per_class < 1:
            raise InvalidValueError(f'per_class={per_class} leaves nothing to train on; give at least 1.')
        if fraction is not None and not 0 < fraction <= 1:
            raise InvalidValueError(f'fraction={fraction} is not in (0, 1].')
        super().__init__(dataset)
        self.per_class, self.fraction, self.seed = per_class, fraction, seed
        drawn = [self._draw(label) for label in range(len(self.classes))]
        self.index = np.sort(np.concatenate(drawn))

    def __repr__(self) -> str:
        """Settings and underlying dataset."""
        amount = f'per_class={self.per_class}' if self.fraction is None else f'fraction={self.fraction}'
        return f'FewLabels({amount}, seed={self.seed}, {self.dataset!r})'

    def _draw(self, label: int) -> np.ndarray:
        """Positions of the chosen objects of one class."""
        members = np.flatnonzero(self.dataset.labels == label)
        if self.fraction is not None:
            count = max(round(self.fraction * len(members)), 1)
        else:
            count = self.per_class or 0
        if len(members) < count:
            raise DatasetError(
                f"class '{self.dataset.classes[label]}' has {len(members)} objects in {self.dataset!r}, but "
                f'{count} are to be drawn; lower per_class.'
            )
        return np.random.default_rng([self.seed, label]).permutation(members)[:count]
