"""Refusing weights that are no numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..errors import NonFiniteWeightsError


def check_finite(state: Mapping[str, Any], source: str, model: Mapping[str, Tensor] | None = None) -> None:
    """Refuse tensors with a NaN or an infinity, since all that is computed with them is worthless.

    Args:
        state (Mapping): Tensors by name.
        source (str): Where they came from, for the message.
        model (Mapping | None): State of the model that takes them: only tensors that it has count, and none that holds
            an infinity in it on purpose, as a mask does.

    Raises:
        NonFiniteWeightsError: Names the tensor.
    """
    for name, value in state.items():
        counts = model is None or (name in model and is_finite(model[name]))
        if counts and isinstance(value, Tensor) and not is_finite(value):
            raise NonFiniteWeightsError(
                f'{source} has a NaN or an infinity in {name}, so nothing that is computed with it means anything; use '
                'an earlier checkpoint, or another file.'
            )


def is_finite(value: Tensor) -> bool:
    """Whether all numbers of a tensor are finite; those of integers are."""
    if value.is_meta or not (value.is_floating_point() or value.is_complex()):
        return True
    if value.element_size() == 1:  # the 8-bit floats have no such test
        value = value.float()
    return bool(value.isfinite().all())
