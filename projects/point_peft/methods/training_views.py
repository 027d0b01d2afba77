"""What frozen weights make of some augmented views of every training cloud, drawn once and seen again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..io.errors import InvalidValueError
from .evaluation_cache import NothingKept, Value, tensors_of, with_tensors

POINTS = 'points'
"""Name of the augmented clouds among what is kept."""

Allocate = Callable[[Sequence[int], torch.dtype], Tensor]
"""Makes a tensor of a shape and a type on the CPU, with any values."""


class TrainingViews:
    """A fixed number of augmented views of each cloud of a training set.

    The first time that a cloud comes in a view, it is augmented and embedded, and kept: its points and what
    :class:`ViewBatch` is asked for. Later all this is read. Points always come from here, so whatever reads them sees
    the clouds that were embedded; of several of the same cloud in a batch the first counts.

    Room is made at the start, on the CPU: (num_views, num_clouds, ...) for every tensor. A row that was not written is
    never read.

    Args:
        num_clouds (int): Size of the training set.
        num_views (int): Views of each cloud.
        allocate (Callable | None): What gives the room, see :data:`Allocate`; None means memory.
    """

    def __init__(self, num_clouds: int, num_views: int, allocate: Allocate | None = None) -> None:
        self.num_clouds, self.num_views = num_clouds, num_views
        self.view = 0
        self.kept: dict[Any, KeptRows] = {}
        self._allocate = allocate or _in_memory
        self._at_hand: tuple[Tensor, ViewBatch] | None = None

    def make_room(self, examples: Mapping[Any, Any]) -> None:
        """Make room for results of these names that look like these, of any number of clouds; first for points."""
        for key, example in examples.items():
            tensors = list(tensors_of(example))
            arrays = [
                self._allocate((self.num_views, self.num_clouds, *tensor.shape[1:]), tensor.dtype)
                for tensor in tensors
            ]
            structure = with_tensors(example, iter([tensor.new_empty(0) for tensor in tensors]))
            self.kept[key] = KeptRows(arrays, structure, tensors[0].device)

    def points(self, samples: Sequence[Any], draw: Callable[[], Tensor]) -> Tensor:
        """The clouds (B, N, 3) of some data samples in the present view.

        Args:
            samples (Sequence): Data samples; ``sample_idx`` is the place of a cloud in the training set.
            draw (Callable): Gives the clouds augmented, if some have not been seen in this view.

        Raises:
            ValueError: The clouds have another number of points than those before.
        """
        index = torch.tensor([sample.sample_idx for sample in samples])
        rows = self.kept[POINTS]
        if not rows.have(self.view, index):
            rows.write(self.view, index, draw())
        points = rows.read(self.view, index)
        self._at_hand = points, ViewBatch(self.kept, self.view, index)
        return points

    def batch(self, points: Tensor) -> ViewBatch | NothingKept:
        """What is kept of the clouds that were given last; nothing is of others."""
        if self._at_hand is None or self._at_hand[0] is not points:
            return NothingKept()
        return self._at_hand[1]

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        """A copy of a model has no views: it may get other weights."""


class ViewBatch:
    """Results of one batch of clouds in one view; see :class:`TrainingViews`."""

    def __init__(self, kept: Mapping[Any, KeptRows], view: int, index: Tensor) -> None:
        self.kept, self.view, self.index = kept, view, index

    def get(self, key: Any, compute: Callable[[], Value], *, is_frozen: bool = True) -> Value:
        """The result of this name: read if it is kept of all clouds, else computed for all, and kept of the others."""
        rows = self.kept.get(key) if is_frozen else None
        if rows is not None and rows.have(self.view, self.index):
            return rows.read(self.view, self.index)
        value = compute()
        if rows is not None:
            rows.write(self.view, self.index, value)
        return value


class KeptRows:
    """A result of every cloud in every view.

    Args:
        arrays (Sequence[Tensor]): (num_views, num_clouds, ...) of every tensor of the result.
        structure (Any): The result with other tensors.
        device (torch.device): Where results are used.
    """

    def __init__(self, arrays: Sequence[Tensor], structure: Any, device: torch.device) -> None:
        self.arrays, self.structure, self.device = arrays, structure, device
        self.filled = torch.zeros(arrays[0].shape[:2], dtype=torch.bool)

    def have(self, view: int, index: Tensor) -> bool:
        """Whether all clouds (B,) of a batch have been written."""
        return bool(self.filled[view, index].all())

    def read(self, view: int, index: Tensor) -> Any:
        """The result of clouds (B,) that have been written."""
        rows = (array[view].index_select(0, index) for array in self.arrays)
        return with_tensors(self.structure, (part.to(self.device, non_blocking=True) for part in rows))

    def write(self, view: int, index: Tensor, value: Any) -> None:
        """Write those of clouds (B,) that have not been written; of the same cloud the first."""
        firsts = torch.from_numpy(np.unique(index.numpy(), return_index=True)[1])
        firsts = firsts[~self.filled[view, index[firsts]]]
        places = index[firsts]
        for array, tensor in zip(self.arrays, tensors_of(value)):
            if tensor.shape[1:] != array.shape[2:]:
                raise InvalidValueError(
                    f'the training clouds differ in size: {tuple(tensor.shape[1:])} after {tuple(array.shape[2:])}, '
                    'so their views cannot be kept; set num_points of the dataset or of the data preprocessor.'
                )
            array[view].index_copy_(0, places, tensor.detach().cpu()[firsts])
        self.filled[view, places] = True


def bytes_per_cloud(examples: Mapping[Any, Any]) -> int:
    """Bytes of results of these names for one cloud, from those of some clouds."""
    return sum(tensor.nbytes // len(tensor) for value in examples.values() for tensor in tensors_of(value))


def _in_memory(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    return torch.empty(tuple(shape), dtype=dtype)
