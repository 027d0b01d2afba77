"""Reading of tables of numbers in text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .files import read_lines
from .layout import check_layout
from .naming import UnreadableError, naming

DELIMITERS = (';', ',')
"""Characters that separate columns, if the first row has them; white space otherwise."""

FORTRAN_EXPONENT = re.compile(r'(?<=[\d.])[dD](?=[+-]?\d)')
"""The D of 1.5D+02, which Fortran writes for double precision."""


def read_text(
    path: Path, columns: Sequence[int] = (0, 1, 2), expected: str = "rows 'x y z' or 'x,y,z'"
) -> np.ndarray:
    """Read rows of numbers separated by white space, commas or semicolons, ``#`` starting a comment.

    Rows must have equally many columns; columns that are not asked for may hold words. The first row may be the number
    of the rows after it.

    Args:
        path (Path): the file.
        columns (Sequence[int]): the columns wanted.
        expected (str): what the rows should be, for the message.

    Returns:
        np.ndarray: (N, len(columns)) float64.

    Raises:
        DatasetNotFoundError: no such file.
        DatasetError: no such table.
    """
    with naming(path, 'text'):
        lines = read_lines(path)
        try:
            return _parse(lines, list(columns))
        except ValueError as error:
            if isinstance(error, UnreadableError):
                raise
            raise UnreadableError(f'is not a table of numbers ({error}); expected {expected}.') from error


def _parse(lines: list[str], columns: list[int]) -> np.ndarray:
    """Columns of the table in ``lines``."""
    start = next((i for i, line in enumerate(lines) if line.partition('#')[0].strip()), None)
    if start is None:
        raise ValueError('it has no rows')
    _check_names(lines[start - 1] if start else '', columns)
    promised = _promised_rows(lines, start, len(columns))
    rows = lines[start:] if promised is None else lines[start + 1 :]
    first = next((line for line in rows if line.partition('#')[0].strip()), '')
    delimiter = next((mark for mark in DELIMITERS if mark in first.partition('#')[0]), None)
    try:
        table = np.loadtxt(rows, delimiter=delimiter, dtype=np.float64, ndmin=2)
    except ValueError:  # words in other columns, or exponents of Fortran
        rows = [FORTRAN_EXPONENT.sub('e', line.partition('#')[0]) for line in rows]
        widths = {len(line.split(delimiter)) for line in rows if line.strip()}
        if len(widths) > 1:
            raise ValueError(f'its rows have between {min(widths)} and {max(widths)} columns') from None
        table = np.loadtxt(rows, delimiter=delimiter, dtype=np.float64, ndmin=2, usecols=columns)
        width, columns = widths.pop(), list(range(len(columns)))
    else:
        width = table.shape[1]
    if promised is not None and promised != len(table):
        raise ValueError(f'its first row promises {promised} rows and {len(table)} follow')
    if table.shape[1] <= max(columns):
        raise ValueError(f'its rows have {table.shape[1]} columns')
    if len(columns) >= 3:
        check_layout((len(table), width))
    return table[:, columns]


def _promised_rows(lines: list[str], start: int, width: int) -> int | None:
    """Number in the first row if that is all that it holds, as in XYZ and PTS files, and rows are wider."""
    if width == 1:
        return None
    row = lines[start].partition('#')[0].strip()
    return int(row) if row.isascii() and row.isdecimal() else None


def _check_names(line: str, columns: list[int]) -> None:
    """Refuse a table whose comment before the first row names x, y and z at other places."""
    names = re.split(r'[\s,;]+', line.strip().lstrip('#/ ').lower()) if line.lstrip().startswith('#') else []
    if columns[:3] == [0, 1, 2] and {'x', 'y', 'z'} <= set(names) and names[:3] != ['x', 'y', 'z']:
        raise ValueError(f'its columns are {names}, and x, y, z must be the first ones')
