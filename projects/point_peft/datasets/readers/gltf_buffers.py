"""Arrays of glTF files: buffers, views of them, and accessors to these."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from ...io.naming import UnreadableError, check_is_file
from ...io.reading import check_count, read_bytes

TYPES = {5120: '<i1', 5121: '<u1', 5122: '<i2', 5123: '<u2', 5125: '<u4', 5126: '<f4'}
"""Types of numbers."""

DATA_URI = 'data:'


def item(tree: dict[str, Any], key: str, index: int) -> dict[str, Any]:
    """Entry of one of the lists of the description.

    Raises:
        UnreadableError: no such entry.
    """
    entries = tree.get(key, [])
    if type(index) is not int or not 0 <= index < len(entries):
        raise UnreadableError(f'refers to entry {index} of the {len(entries)} {key}; export it again.')
    return entries[index]


class Buffers:
    """The arrays of a file.

    Args:
        tree (dict[str, Any]): the description.
        contents (Sequence[bytes]): the buffers.
    """

    def __init__(self, tree: dict[str, Any], contents: Sequence[bytes]) -> None:
        self._tree = tree
        self._contents = contents

    def positions(self, index: int) -> np.ndarray:
        """Coordinates (V, 3) float64 of accessor ``index``."""
        array = self._array(index, 'VEC3')
        if array.dtype.kind == 'f' or not item(self._tree, 'accessors', index).get('normalized', False):
            return array.astype(np.float64)
        return np.maximum(array / np.iinfo(array.dtype).max, -1.0)

    def indices(self, index: int) -> np.ndarray:
        """Indices (K,) int64 of accessor ``index``."""
        array = self._array(index, 'SCALAR')
        if array.dtype.kind != 'u':
            raise UnreadableError(f'has indices of type {array.dtype}; export it again.')
        return array.astype(np.int64)[:, 0]

    def _array(self, index: int, kind: str) -> np.ndarray:
        """Numbers (count, columns) of an accessor."""
        accessor = item(self._tree, 'accessors', index)
        if accessor['type'] != kind or 'sparse' in accessor or 'bufferView' not in accessor:
            raise UnreadableError(
                f'has an accessor {index} that is sparse, has no data, or is not of type {kind}; export it again.'
            )
        view = item(self._tree, 'bufferViews', accessor['bufferView'])
        if view.get('extensions'):
            raise UnreadableError(f'has data packed by {next(iter(view["extensions"]))}; export it without.')
        item(self._tree, 'buffers', view['buffer'])
        start, length = whole(view.get('byteOffset', 0)), whole(view['byteLength'])
        content = self._contents[view['buffer']]
        if start + length > len(content):
            raise UnreadableError(
                f'is truncated: it refers to byte {start + length} of {len(content)}; export it again.'
            )
        dtype = np.dtype(TYPES[accessor['componentType']])
        columns = {'VEC3': 3, 'SCALAR': 1}[kind]
        return np.ndarray(
            (check_count(whole(accessor['count']), 'entries'), columns),
            dtype,
            buffer=content[start : start + length],
            offset=whole(accessor.get('byteOffset', 0)),
            strides=(whole(view.get('byteStride', 0)) or columns * dtype.itemsize, dtype.itemsize),
        )


def load_buffers(tree: dict[str, Any], chunk: bytes | None, path: Path) -> Buffers:
    """Read the buffers of a file: its own data, data within the description, or files beside it.

    Args:
        tree (dict[str, Any]): the description.
        chunk (bytes | None): data of a glb file.
        path (Path): the file.

    Raises:
        UnreadableError: a buffer is shorter than it declares, or is not beside the file.
    """
    contents: list[bytes] = []
    for index, buffer in enumerate(tree.get('buffers', [])):
        if 'uri' in buffer:
            content = _resolve(buffer['uri'], path)
        elif index == 0 and chunk is not None:
            content = chunk
        else:
            raise UnreadableError(f'has no data for buffer {index}; export it again.')
        if whole(buffer['byteLength']) > len(content):
            raise UnreadableError(
                f'is truncated: buffer {index} has {len(content)} of {buffer["byteLength"]} bytes; export it again.'
            )
        contents.append(content)
    return Buffers(tree, contents)


def whole(number: Any) -> int:
    """A size or offset.

    Raises:
        UnreadableError: no integer, or a negative one.
    """
    if isinstance(number, float) and math.isfinite(number) and number == int(number):
        number = int(number)
    if type(number) is not int or number < 0:
        raise UnreadableError(f'has a size or offset {str(number)[:40]}; export it again.')
    return number


def _resolve(uri: str, path: Path) -> bytes:
    """Content of a buffer; a name must be that of a file in the same directory or below."""
    if uri.startswith(DATA_URI):
        return base64.b64decode(uri.partition(',')[2], validate=True)
    name = Path(unquote(uri))
    if name.is_absolute() or '..' in name.parts or '://' in uri:
        raise UnreadableError(f"refers to '{uri[:80]}'; expected data in a file beside it.")
    try:
        check_is_file(path.parent / name)
        return read_bytes(path.parent / name)
    except OSError as error:
        raise UnreadableError(
            f"refers to '{uri[:80]}', which cannot be opened ({error.strerror})."
        ) from error
