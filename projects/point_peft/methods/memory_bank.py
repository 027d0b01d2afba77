"""The memory bank of domain features and its parameter-free attention."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn import functional as F

NORMALIZATION = 'l2'
"""Keys have unit length, so similarity is a cosine; see :class:`MemoryBank` for the reasons."""


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
        self.warned_empty = False
        self.provenance: dict[str, Any] | None = None  # of whoever fills it, for those who save it
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
            raise ValueError(
                f'memory bank of shape {tuple(features.shape)} does not fit this backbone, which needs '
                f'(N, {self.dim}); build one with tools/build_memory_bank.py.'
            )
        _check_directions(features)
        self.keys = F.normalize(features.to(self.keys), dim=1)

    def check(self, keys: Tensor, num_clouds: int) -> None:
        """Compare keys that were stored with what they should be.

        Raises:
            ValueError: They are not (N, C) of float32, of as many clouds, or one has no direction.
        """
        if tuple(keys.shape) != (num_clouds, self.dim) or keys.dtype != torch.float32 or not num_clouds:
            raise ValueError(
                f'it has rows of shape {tuple(keys.shape)} and type {keys.dtype}, but was made from {num_clouds} '
                f'clouds with {self.dim} features of float32.'
            )
        _check_directions(keys)

    def forward(self, query: Tensor, k: int) -> Retrieval:
        """Attend to the ``k`` most similar clouds, without parameters (section 3.2, equations 3 to 5).

        In the precision of the keys whatever autocast says: in bfloat16 a third of the first neighbours are wrong.

        Args:
            query (Tensor): (B, C) global features of the input clouds.
            k (int): Number of neighbours.

        Raises:
            ValueError: If the bank holds fewer than ``k`` clouds.
        """
        if len(self) < k:
            raise ValueError(too_few_clouds(len(self), k))
        with torch.autocast(query.device.type, enabled=False):
            query = F.normalize(query.to(self.keys.dtype), dim=1)
            similarity, index = (query @ self.keys.T).topk(k, dim=1)
            values = self.keys[index] * self.dim**0.5  # (B, k, C)
            weights = (similarity / self.temperature).softmax(dim=1)
            attended = (weights.unsqueeze(1) @ values).squeeze(1)
        return Retrieval(query * self.dim**0.5, attended, values, similarity, index)

    def warn_empty(self) -> None:
        """Say, once, that there is nothing to retrieve."""
        if not self.warned_empty:
            print_log(
                'the memory bank is empty: prompts are not enhanced until training or tools/build_memory_bank.py '
                'builds one, or a checkpoint brings one.',
                logger='current',
                level=logging.WARNING,
            )
            self.warned_empty = True

    def content_hash(self) -> str:
        """Hex digest of the stored keys; empty for an empty bank."""
        if not len(self):
            return ''
        return hashlib.blake2b(
            self.keys.float().cpu().contiguous().numpy().tobytes(), digest_size=16
        ).hexdigest()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take any number of rows, since a bank has as many as its training set."""
        keys = state_dict.get(f'{prefix}keys')
        if keys is not None and keys.dim() == 2 and keys.shape[1] == self.dim:
            self.keys = self.keys.new_empty(keys.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _check_directions(rows: Tensor) -> None:
    """Refuse rows that are zero or not finite."""
    norms = rows.float().norm(dim=1)
    wrong = ~(torch.isfinite(norms) & (norms > 0))
    if bool(wrong.any()):
        raise ValueError(
            f'row {int(wrong.nonzero()[0])} of the memory bank is zero or not finite; rebuild it with '
            'tools/build_memory_bank.py.'
        )


def too_few_clouds(rows: int, wanted: int) -> str:
    """The sentence for a bank from which more clouds are to be retrieved than it holds."""
    return (
        f'the memory bank holds {rows} clouds but {wanted} are to be retrieved; build it from more clouds or lower '
        'num_tokens.'
    )
