"""Reading of PCD files (Point Cloud Library, version 0.7): ascii, binary and binary_compressed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from ...io.naming import UnreadableError
from ...io.reading import check_count, check_unpacked, read_bytes, without_bom
from ..once import warn_once
from .lzf import decompress
from .npy import real
from .pcd_header import Header, parse_header


def read_pcd(path: Path) -> np.ndarray:
    """Read the fields x, y, z, or X, Y, Z.

    PCL keeps the grid of a depth camera and writes NaN for every ray without a return; these rows are left out, and
    their number is said.

    Returns:
        np.ndarray: (N, 3) float64.

    Raises:
        UnreadableError: no PCD header, no x, y, z, other data than the header promises, or no returns.
    """
    header, body = parse_header(without_bom(read_bytes(path)))
    if not header.axes:
        raise UnreadableError(f'has the fields {header.fields}; expected x, y and z among them.')
    several = [name for name in header.axes if header.dtype[name].shape]
    if several:
        raise UnreadableError(
            f"has a field '{several[0]}' of COUNT {header.dtype[several[0]].shape[0]}; expected a number per point."
        )
    check_count(header.points, 'points')
    if header.data not in BODIES:
        raise UnreadableError(f'has DATA {header.data}; expected one of {", ".join(BODIES)}.')
    points = BODIES[header.data](header, body)
    no_return = np.isnan(points).all(axis=1)
    if no_return.any():
        if no_return.all():
            raise UnreadableError(f'has {len(points)} points, and all are NaN; repair or remove it.')
        warn_once(
            f"'{path}' has {int(no_return.sum())} points without a return (NaN) of {len(points)}; they are left out."
        )
    return points[~no_return]


def _ascii(header: Header, body: bytes) -> np.ndarray:
    """Coordinates (N, 3) of rows of numbers."""
    lines = body.decode('latin-1').splitlines()
    rows = sum(1 for line in lines if line.strip())
    if rows != header.points:
        raise _incomplete(f'{rows} of {header.points} points')
    if not rows:
        return np.empty((0, 3))
    try:
        table = np.loadtxt(lines, dtype=np.float64, ndmin=2, comments=None)
    except ValueError as error:
        raise _incomplete(str(error)) from error
    if table.shape[1] != header.width:
        raise _incomplete(f'{table.shape[1]} of {header.width} columns')
    return table[:, [header.columns[name] for name in header.axes]]


def _binary(header: Header, body: bytes) -> np.ndarray:
    """Coordinates (N, 3) of records one after the other."""
    _check_size(len(body), header.size)
    records = np.frombuffer(body, header.dtype, count=header.points)
    return np.stack([real(records[name], name) for name in header.axes], axis=1)


def _compressed(header: Header, body: bytes) -> np.ndarray:
    """Coordinates (N, 3) of fields one after the other, compressed together."""
    if len(body) < 8:
        raise _incomplete('no sizes after the header')
    packed, unpacked = struct.unpack('<II', body[:8])
    _check_size(len(body) - 8, packed)
    if unpacked != header.size:
        raise _incomplete(f'{unpacked} of {header.size} bytes after decompression')
    check_unpacked(unpacked, packed, 'points')
    content = decompress(body[8 : 8 + packed], unpacked)
    columns: list[np.ndarray] = []
    for name in header.axes:
        kind, offset = header.dtype.fields[name][:2]  # type: ignore[index]  # records have fields
        column = np.frombuffer(content, kind, count=header.points, offset=offset * header.points)
        columns.append(real(column, name))
    return np.stack(columns, axis=1)


def _check_size(found: int, promised: int) -> None:
    """Compare the bytes after the header with those that it promises; some writers fill a block up with a few more."""
    if found < promised:
        raise _incomplete(f'{found} of {promised} bytes')
    if found > promised + 16:
        raise _incomplete(f'{found} bytes where its header promises {promised}')


def _incomplete(what: str) -> UnreadableError:
    return UnreadableError(f'is not a complete PCD file ({what}); write it again.')


BODIES = {'ascii': _ascii, 'binary': _binary, 'binary_compressed': _compressed}
"""Readers of what follows the header, by its DATA."""
