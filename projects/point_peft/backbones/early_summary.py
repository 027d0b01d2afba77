"""Descriptors of clouds by the first blocks of a backbone alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import Tensor

from ..io.errors import InvalidValueError
from ..structures import PointTokens
from .base import PointBackbone


def summarizes_early(backbone: PointBackbone) -> bool:
    """Whether ``summarize`` of a backbone can do with its first blocks: whether it has an argument ``num_layers``.

    It means how many blocks run before the final norm and the pooling; None means all.
    """
    return 'num_layers' in inspect.signature(backbone.summarize).parameters


def summarize(backbone: PointBackbone, tokens: PointTokens, num_layers: int | None = None) -> Tensor:
    """The descriptor (B, C) of some tokens by the first ``num_layers`` blocks of a backbone; None means all."""
    describe: Callable[..., Tensor] = backbone.summarize
    return describe(tokens) if num_layers is None else describe(tokens, num_layers=num_layers)


def require_early_summary(backbone: PointBackbone, num_layers: int, *, setting: str) -> None:
    """Check that a backbone can describe clouds by so many of its blocks.

    Args:
        backbone (PointBackbone): The backbone.
        num_layers (int): Blocks that are to run.
        setting (str): What asks for it, for the message.

    Raises:
        InvalidValueError: It has not so many blocks, or nothing to describe clouds by before the last.
    """
    depth, name = len(backbone.layers), type(backbone).__name__
    if len(set(backbone.layer_stages)) > 1 or not summarizes_early(backbone):
        raise InvalidValueError(
            f'{setting}={num_layers} cannot be used with {name}, which describes clouds by its last stage, or by all '
            f'of its blocks; set {setting}=None.'
        )
    if type(num_layers) is not int or not 1 <= num_layers <= depth:
        raise InvalidValueError(
            f'{setting}={num_layers} is no number of blocks of {name}; it has {depth}, so set one from 1 to {depth}, '
            'or None for all.'
        )
