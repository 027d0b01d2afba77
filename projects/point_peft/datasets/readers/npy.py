"""Reading of npy arrays whose header is checked against the file before memory is taken."""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO

import numpy as np

from ...io.naming import UnreadableError
from ...io.reading import check_count, check_file_size
from .layout import axis_fields

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Readers of the headers of arrays of numbers; version 3 is only for field names beyond Latin-1."""


def read_npy(path: Path) -> np.ndarray:
    """Read an array (N, >= 3), or a structured one with fields x, y, z or X, Y, Z; pickled objects are refused."""
    size = check_file_size(path)
    with path.open('rb') as file:
        try:
            (shape, fortran), dtype, stored = read_header(file, size)
        except ValueError as error:
            raise UnreadableError(
                f'is not a plain npy array ({error}); save it with numpy.save as (points, 3).'
            ) from error
        check_count(max(shape, default=0), 'points')
        content = file.read(stored)
    array = np.frombuffer(content, dtype).reshape(shape, order='F' if fortran else 'C')
    if dtype.names is None:
        return array
    axes = axis_fields(dtype.names)
    if not axes or array.ndim != 1:
        raise UnreadableError(
            f'holds records of shape {array.shape} with the fields {dtype.names}; expected one record per point with '
            'x, y and z among them.'
        )
    return np.stack([real(array[name], name) for name in axes], axis=1)


def read_header(file: IO[bytes], size: int) -> tuple[tuple[tuple[int, ...], bool], np.dtype, int]:
    """Read a header and compare the bytes that it declares with those that follow.

    Args:
        file (IO[bytes]): stream at the beginning of the array.
        size (int): bytes of the array with its header.

    Returns:
        tuple: (shape, whether the order is Fortran's), dtype, and number of bytes after the header.

    Raises:
        ValueError: no header, objects, or another number of bytes.
    """
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f'version {version}')
    shape, fortran, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError('it holds Python objects')
    stored = size - file.tell()
    declared = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or declared != stored:
        raise ValueError(f'its header declares shape {shape}, {declared} bytes, and {stored} follow')
    return (shape, fortran), dtype, stored


def real(column: np.ndarray, name: str) -> np.ndarray:
    """A column of numbers (N,) as float64."""
    if column.ndim != 1 or column.dtype.kind not in 'iuf':
        raise UnreadableError(
            f"has a field '{name}' of type {column.dtype} and shape {column.shape}; expected a number per point."
        )
    return column.astype(np.float64)
