"""Reading of the header of PCD files."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...io.naming import UnreadableError
from .layout import axis_fields

KINDS = {'F': 'f', 'I': 'i', 'U': 'u'}
"""PCD's TYPE letters as numpy kinds."""


@dataclass(frozen=True)
class Header:
    """What a header says.

    Attributes:
        fields (list[str]): names as they are in the file.
        dtype (np.dtype): type of one point; fields named ``_``, which are padding, have numbers after it.
        points (int): number of points.
        data (str): how they are stored.
    """

    fields: list[str]
    dtype: np.dtype
    points: int
    data: str

    @property
    def size(self) -> int:
        """Bytes of all points."""
        return self.points * self.dtype.itemsize

    @property
    def axes(self) -> list[str]:
        """The fields x, y and z as the file spells them; empty if one is missing."""
        return axis_fields(self.dtype.names)

    @property
    def columns(self) -> dict[str, int]:
        """First column of every field in a row of text."""
        starts: dict[str, int] = {}
        column = 0
        for name in self.dtype.names or ():
            starts[name] = column
            column += math.prod(self.dtype[name].shape)
        return starts

    @property
    def width(self) -> int:
        """Number of columns of a row of text."""
        return sum(math.prod(self.dtype[name].shape) for name in self.dtype.names or ())


def parse_header(content: bytes) -> tuple[Header, bytes]:
    """Header and the bytes after its last line, DATA.

    Raises:
        UnreadableError: no header, or one that contradicts itself.
    """
    values, body = _split(content)
    try:
        fields = values['FIELDS']
        lists = {key: values.get(key, ['1'] * len(fields)) for key in ('SIZE', 'TYPE', 'COUNT')}
        for key, entries in lists.items():
            if len(entries) != len(fields):
                raise ValueError(f'{len(entries)} of {len(fields)} entries in {key}')
        names = [f'_@{index}' if name == '_' else name for index, name in enumerate(fields)]
        types = [np.dtype(f'<{KINDS[kind]}{int(size)}') for kind, size in zip(lists['TYPE'], lists['SIZE'])]
        counts = [int(count) for count in lists['COUNT']]
        if min(counts, default=0) < 1:
            raise ValueError(f'COUNT {min(counts, default=0)}')
        shapes = [() if count == 1 else (count,) for count in counts]
        dtype = np.dtype(list(zip(names, types, shapes)))
        return Header(fields, dtype, _points(values), values['DATA'][0].lower()), body
    except (KeyError, IndexError, ValueError, TypeError, OverflowError) as error:
        raise UnreadableError(f'is not a complete PCD file ({error}); write it again.') from error


def _points(values: dict[str, list[str]]) -> int:
    """Number of points, which WIDTH and HEIGHT give too, or alone in older files."""
    grid = None
    if 'WIDTH' in values and 'HEIGHT' in values:
        grid = int(values['WIDTH'][0]) * int(values['HEIGHT'][0])
    if grid is not None and 'POINTS' not in values:
        return grid
    points = int(values['POINTS'][0])
    if grid not in (None, points):
        raise ValueError(f'{grid} points by WIDTH and HEIGHT where POINTS says {points}')
    return points


def _split(content: bytes) -> tuple[dict[str, list[str]], bytes]:
    """Header lines as {keyword: values} and the bytes after the DATA line."""
    values: dict[str, list[str]] = {}
    start = 0
    while 'DATA' not in values:
        end = content.find(b'\n', start)
        if end < 0:
            raise UnreadableError('has no PCD header that ends with a DATA line; check the file.')
        keyword, *entries = content[start:end].decode('ascii', errors='replace').split() or ['#']
        if not keyword.startswith('#') and keyword in values:
            raise UnreadableError(f'is not a complete PCD file ({keyword} twice); write it again.')
        values[keyword] = entries
        start = end + 1
    return values, content[start:]
