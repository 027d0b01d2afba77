"""What the blocks save for the backward, in bfloat16, which takes half the memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from ..io.errors import InvalidValueError
from ..ops.compiling import is_compiling

DTYPES = {'bfloat16': torch.bfloat16}

LEAST_NUMBERS = 2**16
"""Smaller tensors stay as they are: statistics of norms, and what is not worth two operations."""


class Saved(NamedTuple):
    """A saved tensor in another precision."""

    rounded: Tensor


def checked_saved_dtype(dtype: str | None) -> str | None:
    """The precision, if tensors can be saved in it.

    Raises:
        ValueError: It is unknown.
    """
    if dtype is not None and dtype not in DTYPES:
        raise InvalidValueError(
            f"saved_dtype={dtype!r} of PEFTBackbone is unknown; use 'bfloat16', or None to save tensors as they are."
        )
    return dtype


@contextmanager
def saved_in(dtype: str | None) -> Iterator[None]:
    """Save float32 tensors for the backward in another precision, within this context.

    What is computed stays the same to the bit; gradients see saved tensors rounded (to 8 bits of mantissa), as in
    training on compressed activations (Chen et al., ActNN, ICML 2021, arXiv 2104.14129, which goes to 2 bits).
    Parameters are not copied. In a graph that ``torch.compile`` makes nothing changes, as it chooses what to save.

    Args:
        dtype (str | None): ``bfloat16``; None saves them as they are.
    """
    if dtype is None or not torch.is_grad_enabled() or is_compiling():
        yield
        return
    rounding = _Rounding(DTYPES[dtype])
    with torch.autograd.graph.saved_tensors_hooks(rounding.pack, _unpack):
        yield
    rounding.known.clear()  # the graph alone holds what it needs from now on


class _Rounding:
    """Rounds what one forward saves, each tensor once, however many operations save it.

    Attributes:
        known (dict): Rounded tensors by the place and version of what they were. A reference to the storage, which
            keeps no memory, sees to it that no other storage gets its number.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.known: dict[tuple[Any, ...], tuple[StorageWeakRef, Saved]] = {}

    def pack(self, tensor: Tensor) -> Tensor | Saved:
        """What is saved in place of a tensor."""
        is_plain = type(tensor) is Tensor and tensor.dtype == torch.float32
        if not is_plain or tensor.numel() < LEAST_NUMBERS or _is_part_of_parameter(tensor):
            return tensor
        storage = StorageWeakRef(tensor.untyped_storage())
        place = (storage.cdata, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor._version)
        if place not in self.known:
            self.known[place] = storage, Saved(tensor.detach().to(self.dtype))
        return self.known[place][1]


def _unpack(saved: Tensor | Saved) -> Tensor:
    return saved.rounded.float() if isinstance(saved, Saved) else saved


def _is_part_of_parameter(tensor: Tensor) -> bool:
    """Whether it is a view of a weight, such as its transpose; weights live on anyway."""
    return tensor._is_view() and isinstance(tensor._base, nn.Parameter)
