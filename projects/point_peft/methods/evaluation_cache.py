"""What frozen weights make of clouds that are evaluated again and again, as validation clouds after every epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .training_views import TrainingViews

Value = TypeVar('Value')


class Kept(Protocol):
    """Results of one batch, of which some may be kept."""

    def get(self, key: Any, compute: Callable[[], Value], *, is_frozen: bool = True) -> Value:
        """The result of this name; it may be kept if ``is_frozen``."""


class EvaluationCache:
    """Keeps results by the content of the batch that they are of, until there is no room for more.

    Batches of an evaluation are the same every time, so what is kept is what would be computed, to the bit. What does
    not fit any more is computed each time.

    Args:
        max_mb (float): Room for results, in 2**20 bytes.
    """

    def __init__(self, max_mb: float) -> None:
        self.room = int(max_mb * 2**20)
        self.results: dict[tuple[bytes, Any], Any] = {}  # by batch and name

    def batch(self, points: Tensor) -> CachedBatch:
        """What is kept of a batch of clouds (B, N, 3)."""
        values = points.detach().cpu().contiguous()
        digest = hashlib.blake2b(values.view(torch.uint8).numpy().data, digest_size=16)
        digest.update(f'{tuple(points.shape)} {points.dtype} {points.device}'.encode())
        return CachedBatch(self, digest.digest())

    def __deepcopy__(self, memo: dict[int, Any]) -> EvaluationCache:
        """A copy of a model begins with nothing: it may get other weights."""
        return EvaluationCache(self.room / 2**20)


class CachedBatch:
    """Results of one batch; see :class:`EvaluationCache`."""

    def __init__(self, cache: EvaluationCache, digest: bytes) -> None:
        self.cache, self.digest = cache, digest

    def get(self, key: Any, compute: Callable[[], Value], *, is_frozen: bool = True) -> Value:
        """The result of this name, computed unless it is kept, which it is if it cannot change in training."""
        if (self.digest, key) in self.cache.results:
            return self.cache.results[self.digest, key]
        value = compute()
        size = sum(tensor.nbytes for tensor in tensors_of(value))
        if is_frozen and size <= self.cache.room:
            self.cache.room -= size
            self.cache.results[self.digest, key] = value
        return value


class NothingKept:
    """In place of a :class:`CachedBatch` where everything is computed."""

    def get(self, key: Any, compute: Callable[[], Value], *, is_frozen: bool = True) -> Value:
        """Compute."""
        return compute()


def kept_results(cache: EvaluationCache | TrainingViews | None, given: Tensor, points: Tensor) -> Kept:
    """What is kept of clouds ``points`` (B, N, 3).

    Nothing without a cache, in an evaluation where a gradient may be asked for, or if methods made other points of
    those that were given, which they do differently after every step of training.
    """
    if (
        cache is None
        or points is not given
        or (isinstance(cache, EvaluationCache) and torch.is_grad_enabled())
    ):
        return NothingKept()
    return cache.batch(points)


def tensors_of(value: Any) -> Iterator[Tensor]:
    """The tensors of a result: one, a dataclass or a sequence of such."""
    if isinstance(value, Tensor):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors_of(getattr(value, field.name))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_of(part)


def with_tensors(value: Any, tensors: Iterator[Tensor]) -> Any:
    """A result with other tensors in the places of its own, in the order of :func:`tensors_of`."""
    if isinstance(value, Tensor):
        return next(tensors)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: with_tensors(getattr(value, field.name), tensors) for field in fields(value)}
        return replace(value, **changed)
    if isinstance(value, (list, tuple)):
        return type(value)(with_tensors(part, tensors) for part in value)
    return value
