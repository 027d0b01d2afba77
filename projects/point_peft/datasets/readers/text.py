"""Reading of tables of numbers in text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...io.naming import UnreadableError, naming
from ...io.reading import read_lines
from .layout import check_layout
from .text_heading import read_heading

DELIMITERS = (';', ',')
"""Characters that separate columns, if the first row has them; white space otherwise."""

FORTRAN_EXPONENT = re.compile(r'(?<=[\d.])[dD](?=[+-]?\d)')
"""The D of 1.5D+02, which Fortran writes for double precision."""


def read_text(
    path: Path, columns: Sequence[int] = (0, 1, 2), expected: str = "rows 'x y z' or 'x,y,z'"
) -> np.ndarray:
    """Read rows of numbers separated by white space, commas or semicolons, ``#`` starting a comment.

    Rows must have equally many columns; columns that are not asked for may hold words. Above them there may be the
    names of the columns, and the number of rows.

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


def _parse(lines: list[str], wanted: list[int]) -> np.ndarray:
    """Columns of the table in ``lines``."""
    heading, columns = read_heading(lines, len(wanted)), wanted
    rows = lines[heading.end :]
    delimiter = next((mark for mark in DELIMITERS if mark in rows[0].partition('#')[0]), None)
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
    if heading.promised not in (None, len(table)):
        raise ValueError(f'its first row promises {heading.promised} rows and {len(table)} follow')
    if table.shape[1] <= max(columns):
        raise ValueError(f'its rows have {table.shape[1]} columns')
    heading.check_names(wanted, width)
    if len(columns) >= 3:
        check_layout((len(table), width))
    return table[:, columns]
