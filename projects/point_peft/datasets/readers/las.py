"""Reading of LAS and LAZ files, the formats of laser scanners, by laspy."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ...io.naming import UnreadableError
from ...io.reading import read_bytes
from .las_header import LAYERED, check_chunks, check_header

INSTALL = "pip install 'laspy[lazrs]'"
"""Command that installs what reads them."""


def read_las(path: Path) -> np.ndarray:
    """Read the scaled coordinates of all points.

    Returns:
        np.ndarray: (N, 3) float64.

    Raises:
        UnreadableError: laspy is not installed, or the file is damaged.
    """
    try:
        import laspy  # an optional package
        import lazrs
    except ImportError as error:
        raise UnreadableError(f'needs laspy to be read; install it: {INSTALL}') from error
    content = read_bytes(path)
    count = check_header(content)
    try:
        with laspy.open(path, read_evlrs=False, laz_backend=laspy.LazBackend.Lazrs) as reader:
            if reader.header.are_points_compressed:
                vlr = reader.header.vlrs.get('LasZipVlr')[0].record_data
                check_chunks(content, vlr, count)
                if lazrs.LazVlr(vlr).item_size() != reader.header.point_format.size:
                    raise UnreadableError('is damaged: two different sizes of a point; write it again.')
                _check_last_chunk(content, lazrs.LazVlr(vlr), count)
            points = _all_points(reader, count)
    except Exception:
        raise
    except BaseException as error:  # lazrs is written in Rust, whose panics are no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise UnreadableError(f'is damaged ({type(error).__name__}: {error}); write it again.') from None
    return points


def _all_points(reader: Any, count: int) -> np.ndarray:
    """Coordinates (N, 3) float64 of as many points as the header promises."""
    if reader.header.point_count != count:
        raise UnreadableError(
            f'has two numbers of points, {count} and {reader.header.point_count}; write it again.'
        )
    records = reader.read_points(count)
    if len(records) != count:
        raise UnreadableError(
            f'has {len(records)} of the {count} points that its header promises; write it again.'
        )
    return np.stack([np.asarray(records[name], dtype=np.float64) for name in 'xyz'], axis=1)


def _check_last_chunk(content: bytes, vlr: Any, count: int) -> None:
    """Refuse a LAZ file that holds more points than its header promises: its last chunk would be read in part.

    Layered chunks say how many points they have. Others do not, but whoever unpacks one reads it to its last byte, so
    with that withheld there is too little for the points, unless there are more of them.

    Args:
        content (bytes): the file, whose number of chunks is right.
        vlr (lazrs.LazVlr): its LASzip record.
        count (int): number of points that the header promises.

    Raises:
        UnreadableError: there are more points, or the chunks say other numbers.
    """
    import lazrs

    file = BytesIO(content)
    (start,) = struct.unpack_from('<I', content, 96)
    file.seek(start)
    chunks = lazrs.read_chunk_table(file, vlr)
    if not chunks:
        return
    before = sum(points for points, _ in chunks[:-1])
    points, size = chunks[-1]
    if not vlr.uses_variable_size_chunks():
        points = count - before
    begin = start + 8 + sum(number for _, number in chunks[:-1])  # behind the place of the table
    chunk = content[begin : begin + size]
    if before + points != count:
        raise UnreadableError(
            f'has {before + points} points in its chunks where its header promises {count}; write it again.'
        )
    record = bytes(vlr.record_data())
    if record[:2] == LAYERED:
        (stored,) = struct.unpack_from('<I', chunk, vlr.item_size())
        fits = stored == points
    else:
        try:
            out = bytearray(points * vlr.item_size())
            lazrs.decompress_points_with_chunk_table(chunk[:-1], record, out, [(points, size - 1)])
            fits = False
        except lazrs.LazrsError:
            fits = True
    if not fits:
        raise UnreadableError(f'holds more points than the {count} that its header promises; write it again.')
