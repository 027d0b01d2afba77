"""Reading of the coordinates of PCD files (Point Cloud Library, version 0.7; ascii and binary)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from .errors import DatasetError

KINDS = {'F': 'f', 'I': 'i', 'U': 'u'}
"""PCD's TYPE letters as numpy kinds."""


def read_pcd(path: Path) -> np.ndarray:
    """Read the fields x, y, z; rows with a non-finite value, which PCL writes for missing returns, are kept.

    Returns:
        np.ndarray: (N, 3) float64.

    Raises:
        DatasetError: no PCD header, no x, y, z, ``binary_compressed`` data, or a truncated file.
    """
    content = path.read_bytes()
    header, body = _split_header(content, path)
    try:
        fields, dtype = _record_type(header)
        count = int(header['POINTS'][0])
        missing = [name for name in 'xyz' if name not in fields]
        if missing:
            raise DatasetError(f"'{path}' has the fields {fields}; expected x, y and z among them.")
        if header['DATA'][0] == 'ascii':
            return _parse_ascii(body, dtype, count)
        if header['DATA'][0] == 'binary':
            records = np.frombuffer(body, dtype=dtype, count=count)
            return np.stack([records[name] for name in 'xyz'], axis=1).astype(np.float64)
    except (KeyError, IndexError, ValueError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"'{path}' is not a complete PCD file ({error}); write it again.") from error
    raise DatasetError(
        f"'{path}' has DATA {header['DATA'][0]}; convert it to ascii or binary, for example with "
        'pcl_convert_pcd_ascii_binary.'
    )


def _split_header(content: bytes, path: Path) -> tuple[dict[str, list[str]], bytes]:
    """Header lines as {keyword: values} and the bytes after the DATA line."""
    header: dict[str, list[str]] = {}
    start = 0
    while 'DATA' not in header:
        end = content.find(b'\n', start)
        if end < 0:
            raise DatasetError(f"'{path}' has no PCD header that ends with a DATA line; check the file.")
        keyword, *values = content[start:end].decode('ascii', errors='replace').split() or ['#']
        header[keyword] = values
        start = end + 1
    return header, content[start:]


def _record_type(header: dict[str, list[str]]) -> tuple[list[str], np.dtype]:
    """Field names and the numpy type of one point."""
    fields = header['FIELDS']
    counts = header.get('COUNT', ['1'] * len(fields))
    names = [
        f'{name}@{index}' if name == '_' else name for index, name in enumerate(fields)
    ]  # '_' is padding
    types = [f'<{KINDS[kind]}{size}' for kind, size in zip(header['TYPE'], header['SIZE'])]
    shapes = [() if count == '1' else (int(count),) for count in counts]
    return fields, np.dtype(list(zip(names, types, shapes)))


def _parse_ascii(body: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    """Coordinates (N, 3) of an ascii body with ``count`` rows."""
    table = np.loadtxt(body.decode('ascii').splitlines(), dtype=np.float64, ndmin=2, max_rows=count)
    if len(table) < count:
        raise ValueError(f'{len(table)} of {count} points')
    columns: dict[str, int] = {}
    width = 0
    for name in dtype.names or ():
        columns[name] = width
        width += math.prod(dtype[name].shape)
    return np.stack([table[:, columns[name]] for name in 'xyz'], axis=1)
