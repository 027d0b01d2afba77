"""ModelNet40 few-shot as published with Point-BERT (Yu et al., CVPR 2022)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..io.errors import DatasetError
from ..io.required import require_path
from ..io.restricted_pickle import read_pickle
from ..registry import DATASETS
from .base import PointCloudDataset
from .clouds import Clouds
from .few_shot import SUBSETS, check_few_shot

ORIGIN = 'https://github.com/lulutang0608/Point-BERT/blob/master/DATASET.md (ModelNet Few-shot)'


@DATASETS.register_module()
class FewShotModelNet40(PointCloudDataset):
    """One of the published folds, ``5way_10shot/0.pkl`` (or ``5way10shot/0.pkl``).

    A file is a pickle of ``dict(train=objects, test=objects)``, an object being (points (N, 3 or more), label,
    label in ModelNet40). It is read without running anything that is in it.

    Args:
        data_root (str | Path): directory that holds ``5way_10shot`` and the others.
        num_ways (int): classes, 5 or 10 in the published files.
        num_shots (int): support objects per class, 10 or 20.
        fold (int): fold, 0 to 9.
        split (str): ``train`` (or ``trainval``) for the support set, ``test`` for the queries.
        normalize (str | None): ``unit_sphere``, as published, or None.
        max_points (int | None): keep the first ``max_points`` points of every cloud; None keeps all.

    Raises:
        ValueError: settings that contradict the protocol.
        DatasetNotFoundError: no such file.
        DatasetError: the file is no such pickle, or a class has too few objects.
    """

    holds_out = False

    def __init__(
        self,
        data_root: str | Path,
        *,
        num_ways: int = 5,
        num_shots: int = 10,
        fold: int = 0,
        split: str = 'train',
        normalize: str | None = 'unit_sphere',
        max_points: int | None = None,
    ) -> None:
        check_few_shot(num_ways, num_shots, fold, split)
        self.num_ways = num_ways
        self.num_shots = num_shots
        self.fold = fold
        super().__init__(data_root, split=split, normalize=normalize, max_points=max_points)

    @property
    def metainfo(self) -> dict:
        """Classes, dataset name, and ``few_shot``: the settings."""
        settings = dict(num_ways=self.num_ways, num_shots=self.num_shots, fold=self.fold)
        return {**super().metainfo, 'few_shot': settings}

    def load(self, subset: str) -> Clouds:
        """Read the support set or the queries; see the base class."""
        path = self._path()
        objects = read_objects(path, subset)
        points = [entry[0] for entry in objects]
        labels = np.array([entry[1] for entry in objects], dtype=np.int64)
        self.classes = self._class_names(path, objects)
        if SUBSETS[self.split] == 'support':
            self._check_shots(path, labels)
        return Clouds(
            points=points,
            labels=labels,
            sources=[f'{path}[{subset}][{index}]' for index in range(len(labels))],
        )

    def _path(self) -> Path:
        """The fold's file: the published code writes ``5way_10shot``, its documentation ``5way10shot``."""
        name = f'{self.num_ways}way_{self.num_shots}shot'
        folder = self.data_root / name
        if not folder.exists():
            alternative = self.data_root / name.replace('_', '')
            folder = alternative if alternative.exists() else folder
        return require_path(folder / f'{self.fold}.pkl', dataset='FewShotModelNet40', origin=ORIGIN)

    def _class_names(self, path: Path, objects: list[tuple[np.ndarray, int, int]]) -> tuple[str, ...]:
        """Names of the classes by their labels in ModelNet40, which the labels of the fold stand for."""
        originals: dict[int, int] = {}
        for index, (_, label, original) in enumerate(objects):
            if not 0 <= label < self.num_ways:
                raise DatasetError(
                    f"'{path}' has label {label} at object {index}, outside [0, {self.num_ways}); put the file into "
                    'the directory of its number of ways.'
                )
            if originals.setdefault(label, original) != original:
                raise DatasetError(
                    f"'{path}' gives label {label} to the classes {originals[label]} and {original} of ModelNet40; "
                    f'get it again from {ORIGIN}.'
                )
        return tuple(f'ModelNet40/{originals.get(label, "-")}' for label in range(self.num_ways))

    def _check_shots(self, path: Path, labels: np.ndarray) -> None:
        """Check that every class has ``num_shots`` support objects."""
        counts = np.bincount(labels, minlength=self.num_ways)
        if (counts != self.num_shots).any():
            label = int(np.argmax(counts != self.num_shots))
            raise DatasetError(
                f"'{path}' has {counts[label]} support objects of class {label}, but num_shots={self.num_shots}; put "
                'the file into the directory of its number of shots.'
            )


def read_objects(path: Path, subset: str) -> list[tuple[np.ndarray, int, int]]:
    """Objects of one subset of a published fold.

    Args:
        path (Path): the pickle.
        subset (str): ``train`` or ``test``.

    Returns:
        list[tuple[np.ndarray, int, int]]: points (N, 3), label, and label in ModelNet40.

    Raises:
        DatasetError: the pickle is damaged, asks for code, or holds something else.
    """
    content = read_pickle(path, origin=ORIGIN)
    objects = content.get(subset) if isinstance(content, dict) else None
    if not isinstance(objects, (list, tuple)) or not objects:
        raise DatasetError(
            f"'{path}' has no list of objects under '{subset}'; expected dict(train=[...], test=[...]): get it again "
            f'from {ORIGIN}.'
        )
    return [_check_object(entry, f'{path}[{subset}][{index}]') for index, entry in enumerate(objects)]


def _check_object(entry: Any, source: str) -> tuple[np.ndarray, int, int]:
    """One object as (points, label, original label)."""
    is_triple = isinstance(entry, (list, tuple)) and len(entry) == 3
    if is_triple and isinstance(entry[0], np.ndarray) and entry[0].ndim == 2 and entry[0].shape[1] >= 3:
        label, original = (np.asarray(value) for value in entry[1:])
        if label.size == original.size == 1 and label.dtype.kind in 'iu' and original.dtype.kind in 'iu':
            return entry[0][:, :3], int(label.reshape(())), int(original.reshape(()))
    raise DatasetError(
        f"'{source}' is not (points (N, 3 or more), label, label in ModelNet40); get the file again."
    )
