"""Checkpoints in plain types, which torch's restricted unpickler reads without an allow-list.

MMEngine puts its ``HistoryBuffer`` and numpy objects into checkpoints, which is why resuming fails with
``torch >= 2.6``. Here they are written as tensors, numbers and dicts, and made anew on loading.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from ..errors import CheckpointSaveError

KIND = '__kind__'
"""Key that marks a dict standing for an object."""

_PLAIN = (str, bool, int, float, type(None), torch.Size, torch.dtype, torch.device)


def to_plain(value: Any, name: str = 'checkpoint') -> Any:
    """Replace every object that the restricted unpickler refuses, at any depth.

    Args:
        value: What is to be saved.
        name (str): Its place in the checkpoint, for the message.

    Returns:
        The same data as tensors, numbers, strings, lists, tuples and dicts. Plain data comes back equal.

    Raises:
        CheckpointSaveError: An object of another type; says where it is.
    """
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, HistoryBuffer):
        history, counts = value.data
        return {
            KIND: 'HistoryBuffer',
            'history': _to_tensor(history, name),
            'counts': _to_tensor(counts, name),
            'max_length': value.max_length,
        }
    if isinstance(value, np.ndarray):
        if value.dtype.kind in 'OSU':
            return to_plain(value.tolist(), name)
        return {KIND: 'ndarray', 'data': _to_tensor(value, name)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return _convert_mapping(value, name)
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        items = [to_plain(item, f'{name}[{index}]') for index, item in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, (set, frozenset)):
        return {KIND: 'set', 'items': [to_plain(item, name) for item in value]}
    if isinstance(value, PurePath):
        return str(value)
    return _check_plain(value, name)


def from_plain(value: Any) -> Any:
    """Undo :func:`to_plain`; plain data comes back unchanged."""
    if isinstance(value, Mapping):
        kind = value.get(KIND)
        if kind == 'HistoryBuffer':
            return HistoryBuffer(
                value['history'].cpu().numpy(), value['counts'].cpu().numpy(), value['max_length']
            )
        if kind == 'ndarray':
            return value['data'].cpu().numpy()
        if kind == 'set':
            return {from_plain(item) for item in value['items']}
        return _same_mapping(value, {key: from_plain(item) for key, item in value.items()})
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if type(value) is tuple:
        return tuple(from_plain(item) for item in value)
    return value


def _convert_mapping(value: Mapping, name: str) -> dict:
    """A mapping as a dict, or as an OrderedDict where module versions hang on it (``state_dict()``)."""
    return _same_mapping(
        value, {to_plain(key, name): to_plain(item, f'{name}.{key}') for key, item in value.items()}
    )


def _same_mapping(source: Mapping, items: dict) -> dict:
    """``items`` with the module versions that torch hangs on a state dict."""
    metadata = getattr(source, '_metadata', None)
    if metadata is None:
        return items
    ordered = OrderedDict(items)
    ordered._metadata = metadata  # type: ignore[attr-defined]
    return ordered


def _to_tensor(array: np.ndarray, name: str) -> torch.Tensor:
    """An array of numbers as a tensor of the same type."""
    try:
        return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))
    except TypeError as error:
        raise CheckpointSaveError(
            f'{name} is an array of {array.dtype}, which cannot be saved safely; make it an array of numbers.'
        ) from error


def _check_plain(value: Any, name: str) -> Any:
    """A value of a plain type; of a type derived from one, the plain value."""
    if type(value) in _PLAIN:
        return value
    for plain in (str, bool, int, float):
        if isinstance(value, plain):
            return plain(value)
    raise CheckpointSaveError(
        f'{name} is a {type(value).__module__}.{type(value).__qualname__}, which cannot be saved '
        'safely; put numbers, strings, tensors, lists or dicts there.'
    )
