"""Reading of LAS and LAZ files, the formats of laser scanners, by laspy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .files import read_bytes
from .las_header import check_chunks, check_header
from .naming import UnreadableError

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
