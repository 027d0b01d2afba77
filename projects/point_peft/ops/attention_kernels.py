"""Self-attention over short sequences on a CPU, head by head in a core's cache; written in C.

The plain form, in :mod:`.attention`, copies queries, keys and values, whose products are too small for a general
library, and keeps all probabilities for the backward.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from torch import Tensor

from .c_library import WIDEST_VECTOR, call, long

SOURCE = Path(__file__).with_suffix('.c')

LEAST_LENGTH, MAX_LENGTH, MAX_HEAD_DIM = 6, 256, 128
"""Tokens of a sequence that the kernels compute at a time, those that a core's cache holds, and numbers of a head."""

FLAGS = (f'-DROWS={LEAST_LENGTH}',)


def can_attend(qkv: Tensor) -> bool:
    """Whether :func:`attention` takes this."""
    _, length, parts, _, size = qkv.shape
    fits = parts == len('qkv') and LEAST_LENGTH <= length <= MAX_LENGTH
    return fits and 0 < size <= MAX_HEAD_DIM and size % WIDEST_VECTOR == 0


def attention(qkv: Tensor) -> Tensor:
    """Scaled dot-product attention of all tokens to all tokens.

    Args:
        qkv (Tensor): ``(B, L, 3, H, D)`` float32 queries, keys and values, see :func:`can_attend`.

    Returns:
        Tensor: ``(B, L, H, D)``.

    Raises:
        MemoryError: There is no room for the numbers of one head.
    """
    batch, length, _, heads, size = qkv.shape
    found = qkv.new_empty(batch, length, heads, size)
    _call('self_attention', qkv, *map(long, (batch, length, heads, size)), found)
    return found


def attention_gradient(gradient: Tensor, qkv: Tensor) -> Tensor:
    """What qkv (B, L, 3, H, D) of :func:`attention` gets of the gradient (B, L, H, D)."""
    batch, length, _, heads, size = qkv.shape
    sent = qkv.new_empty(qkv.shape)
    _call('self_attention_gradient', gradient, qkv, *map(long, (batch, length, heads, size)), sent)
    return sent


def _call(name: str, *arguments: Tensor | ctypes.c_int64) -> None:
    if call(SOURCE, name, *arguments, flags=FLAGS):
        raise MemoryError('attention on the CPU has no room for the numbers of one head')
