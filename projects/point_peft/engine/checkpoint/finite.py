"""Refusing weights that are no numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from ..errors import NonFiniteWeightsError


def first_non_finite(state: Mapping[str, Any], names: Iterable[str] | None = None) -> str | None:
    """Name of the first tensor with a NaN or an infinity; None if there is none.

    Args:
        state (Mapping): Tensors by name; what is no tensor is passed over.
        names (Iterable[str] | None): Which of them to look at; None means all.
    """
    for name in state if names is None else names:
        value = state[name]
        if isinstance(value, Tensor) and not _is_finite(value):
            return name
    return None


def check_finite(state: Mapping[str, Any], source: str, names: Iterable[str] | None = None) -> None:
    """Refuse tensors with a NaN or an infinity, since all that is computed with them is worthless.

    Args:
        state (Mapping): Tensors by name.
        source (str): Where they came from, for the message.
        names (Iterable[str] | None): Which of them to look at; None means all.

    Raises:
        NonFiniteWeightsError: Names the tensor.
    """
    name = first_non_finite(state, names)
    if name is not None:
        raise NonFiniteWeightsError(
            f'{source} has a NaN or an infinity in {name}, so nothing that is computed with it means anything; use '
            'an earlier checkpoint, or another file.'
        )


def _is_finite(value: Tensor) -> bool:
    """Whether all numbers of a tensor are finite; those of integers are."""
    if value.is_meta or not (value.is_floating_point() or value.is_complex()):
        return True
    if value.element_size() == 1:  # the 8-bit floats have no such test
        value = value.float()
    return bool(value.isfinite().all())
