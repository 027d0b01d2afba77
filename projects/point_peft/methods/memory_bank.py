"""The memory bank of domain features and its parameter-free attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..io.errors import InvalidValueError
from ..io.shipped import call_of
from ..ops import products_with_rows

NORMALIZATION = 'l2'
"""Keys have unit length, so similarity is a cosine; see :class:`MemoryBank` for the reasons."""

CHUNK_ROWS = 2**16
"""Rows of a bank that are compared with the queries at a time."""

BLOCK = 64
"""Values of which the maximum is looked at first."""


@dataclass(frozen=True)
class Retrieval:
    """What a query found.

    Attributes:
        query (Tensor): (B, C) the query at the scale of the values.
        attended (Tensor): (B, C) similarity-weighted mean of the retrieved values.
        values (Tensor): (B, k, C) retrieved values, most similar first.
        similarity (Tensor): (B, k) cosine similarities.
        index (Tensor): (B, k) rows of the bank, int64.
    """

    query: Tensor
    attended: Tensor
    values: Tensor
    similarity: Tensor
    index: Tensor


class MemoryBank(nn.Module):
    """Global features of the training clouds by the pre-trained backbone (Point-PEFT, section 3.2).

    Keys are L2-normalised, so that similarity is a cosine and no cloud is preferred for the length of its feature.
    Values are the same directions at length sqrt(C), which is the scale of tokens after a layer norm; the query is
    brought to it too, so all prompt rows have one scale. (The release mixes raw queries of length about 20 with bank
    rows of unknown length.)

    Args:
        dim (int): Feature dimension C.
        temperature (float): Temperature of the softmax over similarities; 1 in the release.
    """

    def __init__(self, dim: int, *, temperature: float = 1.0) -> None:
        super().__init__()
        self.dim = dim
        self.temperature = temperature
        self.keys: Tensor
        self.register_buffer('keys', torch.empty(0, dim))

    def __len__(self) -> int:
        """Number of stored clouds."""
        return len(self.keys)

    def fill(self, features: Tensor) -> None:
        """Store features (N, C), replacing what was there.

        Raises:
            ValueError: If the shape is wrong, or a feature is not finite or zero.
        """
        if features.dim() != 2 or features.shape[1] != self.dim:
            raise InvalidValueError(
                f'memory bank of shape {tuple(features.shape)} does not fit this backbone, which needs '
                f'(N, {self.dim}); build one with {call_of("build_memory_bank.py")}.'
            )
        row = _row_without_direction(features)
        if row is not None:
            raise InvalidValueError(
                f'row {row} of the memory bank is zero or not finite; look at that cloud and the pre-trained weights.'
            )
        self.keys = F.normalize(features.to(self.keys), dim=1)

    def check(self, keys: Tensor, num_clouds: int) -> None:
        """Compare keys that were stored with what they should be.

        Raises:
            ValueError: They are not (N, C) of float32, of as many clouds, or one has no direction.
        """
        if tuple(keys.shape) != (num_clouds, self.dim) or keys.dtype != torch.float32 or not num_clouds:
            raise InvalidValueError(
                f'it has rows of shape {tuple(keys.shape)} and type {keys.dtype}, but was made from {num_clouds} '
                f'clouds with {self.dim} features of float32.'
            )
        row = _row_without_direction(keys)
        if row is not None:
            raise InvalidValueError(f'row {row} of the memory bank is zero or not finite.')

    def forward(self, query: Tensor, k: int, *, left_out: int = 0) -> Retrieval:
        """Attend to the ``k`` most similar clouds, without parameters (section 3.2, equations 3 to 5).

        In the precision of the keys whatever autocast says: in bfloat16 a third of the first neighbours are wrong.

        Args:
            query (Tensor): (B, C) global features of the input clouds.
            k (int): Number of neighbours; of equally similar ones the first rows.
            left_out (int): Nearer ones that are passed over.

        Raises:
            ValueError: If the bank holds fewer clouds than that.
        """
        with torch.autocast(query.device.type, enabled=False):
            query = F.normalize(query.to(self.keys.dtype), dim=1)
            similarity, index = self._nearest(query, k + left_out)
            return self._attend(query, similarity[:, left_out:], index[:, left_out:])

    def beside(self, rows: Tensor, k: int) -> Retrieval:
        """What clouds of the bank find in it beside themselves, with their own rows for queries.

        Args:
            rows (Tensor): (B,) int64.
            k (int): Number of neighbours.

        Raises:
            ValueError: If the bank holds no more clouds than that.
        """
        with torch.autocast(rows.device.type, enabled=False):
            query = self.keys[rows]
            similarity, index = self._nearest(query, k + 1)
            is_own = index == rows.unsqueeze(1)  # not always the first: others may be equal to it
            others = is_own.long().argsort(dim=1, stable=True)[:, :k]
            return self._attend(query, similarity.gather(1, others), index.gather(1, others))

    def _nearest(self, query: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """:func:`nearest_rows`, if there are so many."""
        if len(self) < k:
            raise InvalidValueError(too_few_clouds(len(self), k))
        return nearest_rows(query, self.keys, k)

    def _attend(self, query: Tensor, similarity: Tensor, index: Tensor) -> Retrieval:
        """What is found in some rows (B, k) by normalised queries (B, C) of these similarities."""
        values = self.keys[index] * self.dim**0.5  # (B, k, C)
        weights = (similarity / self.temperature).softmax(dim=1)
        attended = (weights.unsqueeze(1) @ values).squeeze(1)
        return Retrieval(query * self.dim**0.5, attended, values, similarity, index)


def nearest_rows(query: Tensor, keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The rows of largest product with each query; of equal ones the first.

    Rows are taken :data:`CHUNK_ROWS` at a time, so memory does not grow with B * N.

    Args:
        query (Tensor): (B, C).
        keys (Tensor): (N, C), N >= k.
        k (int): Number of rows.

    Returns:
        tuple[Tensor, Tensor]: (B, k) products, largest first, and (B, k) rows, int64.
    """
    values, rows = [], []
    for number, part in enumerate(keys.split(CHUNK_ROWS)):
        largest, index = _first_largest(products_with_rows(query, part), min(k, len(part)))
        values.append(largest)
        rows.append(index + number * CHUNK_ROWS)
    if len(rows) == 1:
        return values[0], rows[0]
    largest, index = _first_largest(torch.cat(values, dim=1), k)
    return largest, torch.cat(rows, dim=1).gather(1, index)


def _first_largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """``topk`` of (B, N) in its rows, but of equal values the first, where ``topk`` promises nothing.

    Only the k blocks of largest maximum are sorted: what is elsewhere is behind all these maxima.
    """
    place = None
    if values.shape[1] > k * BLOCK:
        blocks = F.pad(values, (0, -values.shape[1] % BLOCK), value=-float('inf')).unflatten(1, (-1, BLOCK))
        best = blocks.amax(dim=2).sort(dim=1, descending=True, stable=True).indices[:, :k].sort(dim=1).values
        within = torch.arange(BLOCK, device=values.device)
        place = (best.unsqueeze(2) * BLOCK + within).flatten(1)  # (B, k * BLOCK), in order
        values = blocks.gather(1, best.unsqueeze(2).expand(-1, -1, BLOCK)).flatten(1)
    values, index = (x[:, :k] for x in values.sort(dim=1, descending=True, stable=True))
    return values, index if place is None else place.gather(1, index)


def _row_without_direction(rows: Tensor) -> int | None:
    """Number of the first row that is zero or not finite."""
    norms = rows.float().norm(dim=1)
    wrong = ~(torch.isfinite(norms) & (norms > 0))
    return int(wrong.nonzero()[0]) if bool(wrong.any()) else None


def too_few_clouds(rows: int, wanted: int) -> str:
    """The sentence for a bank from which more clouds are to be retrieved than it holds."""
    return (
        f'the memory bank holds {rows} clouds but {wanted} are to be retrieved; build it from more clouds or lower '
        'num_tokens.'
    )
