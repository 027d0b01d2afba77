"""The few-shot protocol, generated from any classification dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..io.errors import DatasetError, InvalidValueError
from ..registry import DATASETS
from .preparation import Preparation, preparation_of
from .wrapped import WrappedDataset

NUM_FOLDS = 10
"""Folds of the protocol; results are their mean and standard deviation."""

SUBSETS = {'train': 'support', 'trainval': 'support', 'test': 'queries'}
"""What each split is; all of the support is trained on, so there is no ``val``."""

SUPPORT_SPLIT, QUERY_SPLIT = 'trainval', 'test'
"""Splits of the underlying dataset from which support and queries are drawn."""


def check_few_shot(num_ways: int, num_shots: int, fold: int, split: str) -> None:
    """Check the settings that all few-shot datasets share.

    Raises:
        ValueError: fewer than two ways or one shot, a fold out of range, or a split that does not exist.
    """
    if num_ways < 2 or num_shots < 1:
        raise InvalidValueError(
            f'num_ways={num_ways}, num_shots={num_shots}: a fold needs at least 2 ways and 1 shot.'
        )
    if not 0 <= fold < NUM_FOLDS:
        raise InvalidValueError(
            f'fold={fold} is out of range; the protocol has the folds 0 to {NUM_FOLDS - 1}.'
        )
    if split not in SUBSETS:
        raise InvalidValueError(
            f"split='{split}' is unknown to the few-shot protocol, which has only a support set ('train') and queries "
            "('test'); set val_dataloader, val_cfg and val_evaluator to None."
        )


@DATASETS.register_module()
class FewShot(WrappedDataset):
    """One fold of K-way N-shot classification (Sharma and Kaul, NeurIPS 2020; Point-BERT, CVPR 2022).

    K classes are drawn, then N support objects per class from the training files and queries per class from the test
    files. The fold decides the classes, whatever the number of shots, and fewer shots are the first of more. Labels
    become 0 to K - 1, in the order of the classes of the dataset.

    Args:
        dataset (dict): config of a classification dataset that has the splits ``trainval`` and ``test``.
        num_ways (int): classes K.
        num_shots (int): support objects N per class.
        num_queries (int): queries per class.
        fold (int): fold, 0 to 9.
        split (str): ``train`` (or ``trainval``) for the support set, ``test`` for the queries.
        seed (int): another seed gives other folds.

    Raises:
        ValueError: settings that contradict the protocol or the number of classes.
        DatasetError: a class has too few objects.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        *,
        num_ways: int = 5,
        num_shots: int = 10,
        num_queries: int = 20,
        fold: int = 0,
        split: str = 'train',
        seed: int = 0,
    ) -> None:
        check_few_shot(num_ways, num_shots, fold, split)
        if num_queries < 1:
            raise InvalidValueError(f'num_queries={num_queries} must be at least 1.')
        is_support = SUBSETS[split] == 'support'
        super().__init__({**dataset, 'split': SUPPORT_SPLIT if is_support else QUERY_SPLIT})
        self.num_ways, self.num_shots, self.num_queries = num_ways, num_shots, num_queries
        self.fold, self.seed = fold, seed
        self.class_index = self._draw_classes(len(self.dataset.classes))
        count = num_shots if is_support else num_queries
        groups = [self._draw_objects(int(label), count, is_support) for label in self.class_index]
        self.index = np.concatenate(groups)

    @classmethod
    def preparation_from(cls, settings: Mapping[str, Any]) -> Preparation:
        """How the underlying dataset prepares its clouds."""
        return preparation_of(settings['dataset'])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the fold's classes."""
        return tuple(self.dataset.classes[label] for label in self.class_index)

    @property
    def labels(self) -> np.ndarray:
        """(M,) label of every object within the fold, 0 to K - 1."""
        return np.searchsorted(self.class_index, super().labels)

    @property
    def metainfo(self) -> dict:
        """Description of the underlying dataset, with the classes of the fold, and ``few_shot``: the settings."""
        settings = dict(num_ways=self.num_ways, num_shots=self.num_shots, fold=self.fold)
        return {**self.dataset.metainfo, 'classes': self.classes, 'few_shot': settings}

    def __getitem__(self, index: int) -> dict:
        """Object ``index`` as the underlying dataset gives it, with the label within the fold."""
        item = super().__getitem__(index)
        item['data_samples'].gt_label = torch.tensor(int(self.labels[index]))
        return item

    def __repr__(self) -> str:
        """Settings and underlying dataset."""
        return (
            f"FewShot({self.num_ways}-way {self.num_shots}-shot, fold {self.fold}, split='{self.split}', "
            f'{self.dataset!r})'
        )

    def _draw_classes(self, num_classes: int) -> np.ndarray:
        """Classes of the fold (num_ways,), ascending."""
        if self.num_ways > num_classes:
            raise InvalidValueError(
                f'num_ways={self.num_ways} exceeds the {num_classes} classes of {self.dataset!r}; lower num_ways.'
            )
        order = np.random.default_rng([self.seed, self.fold]).permutation(num_classes)
        return np.sort(order[: self.num_ways])

    def _draw_objects(self, label: int, count: int, is_support: bool) -> np.ndarray:
        """Positions (count,) of objects of one class in the underlying dataset."""
        members = np.flatnonzero(self.dataset.labels == label)
        if len(members) < count:
            name = 'num_shots' if is_support else 'num_queries'
            raise DatasetError(
                f"class '{self.dataset.classes[label]}' has {len(members)} objects in {self.dataset!r}, but "
                f'{name}={count}; lower {name}.'
            )
        rng = np.random.default_rng([self.seed, self.fold, int(is_support), label])
        return rng.permutation(members)[:count]
