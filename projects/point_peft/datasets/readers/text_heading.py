"""What may stand above the rows of a table in text: comments, the names of its columns, the number of its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MARKS = ('#', '//', '%')
"""Beginnings of comments; CloudCompare writes ``//``, MATLAB ``%``."""

UNIT = re.compile(r'\([^()]*\)|\[[^\[\]]*\]')
"""What may follow a name: ``(m)``."""


@dataclass(frozen=True)
class Heading:
    """What a table says of itself.

    Attributes:
        end (int): index of the line after it.
        names (list[str]): names of the columns in lower case, if x, y and z are among them; else none.
        is_row (bool): whether the names are a row, which must name every column, and not a comment, which may be prose.
        promised (int | None): number of rows.
    """

    end: int
    names: list[str]
    is_row: bool
    promised: int | None

    def check_names(self, columns: Sequence[int], width: int) -> None:
        """Refuse a table of ``width`` columns whose names say that x, y and z are not the columns wanted.

        Raises:
            ValueError: they are others, or a row names fewer than there are, as if the first column had no name.
        """
        if list(columns[:3]) != [0, 1, 2] or not self.names:
            return
        if self.names[:3] != ['x', 'y', 'z'] and (self.is_row or len(self.names) == width):
            raise ValueError(f'its columns are {self.names}, and x, y, z must be the first ones')
        if self.is_row and len(self.names) < width:
            raise ValueError(f'it names {len(self.names)} columns, {self.names}, and has {width}')


def read_heading(lines: Sequence[str], width: int) -> Heading:
    """Heading of a table.

    Args:
        lines (Sequence[str]): the text.
        width (int): number of columns wanted; a single number is a row of a table of one column.

    Raises:
        ValueError: there are no rows.
    """
    start = _next_row(lines, 0)
    above = lines[start - 1].strip() if start else ''
    names = _names(above.lstrip('#/% ')) if above.startswith(MARKS) else []
    is_row = not names and bool(_names(lines[start]))
    if is_row:
        names, start = _names(lines[start]), _next_row(lines, start + 1)
    row = lines[start].partition('#')[0].strip()
    promised = int(row) if width > 1 and row.isascii() and row.isdecimal() else None
    return Heading(start if promised is None else _next_row(lines, start + 1), names, is_row, promised)


def _next_row(lines: Sequence[str], start: int) -> int:
    """Index of the first line that is neither empty nor a comment."""
    for index in range(start, len(lines)):
        row = lines[index].partition('#')[0].strip()
        if row and not row.startswith(MARKS):
            return index
    raise ValueError('it has no rows')


def _names(line: str) -> list[str]:
    """Names of columns in lower case, without quotes and units, if x, y and z are among them."""
    plain = UNIT.sub('', line.partition('#')[0]).lower().replace('"', '').replace("'", '')
    names = re.split(r'\s*[,;]\s*|\s+', plain.strip())
    return names if {'x', 'y', 'z'} <= set(names) else []
