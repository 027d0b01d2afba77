"""Reading of OFF meshes, in which white space is free and colors may follow every vertex and face."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np

from ...io.naming import UnreadableError
from ...io.reading import check_count, read_lines
from .mesh import Mesh
from .polygons import polygon_mesh

KEYWORD = re.compile(r'(ST)?(C)?(N)?(4)?(n)?(?:OFF|off)(?=$|\s|\d)')
"""First word; in ModelNet the numbers follow it without a space."""

COLOR_SIZES = (0, 1, 3, 4)
"""How many numbers of color may follow a face on its line."""


class _NotLaidOutError(Exception):
    """The numbers do not fit a layout; says why."""


def read_off(path: Path) -> np.ndarray | Mesh:
    """Read the faces, or the vertices of a file without faces.

    Vertices and faces may each have lines of their own, on which colors may follow, or stand in free white space,
    without colors of faces. Whichever it is, they must fill the file to its end.

    Raises:
        UnreadableError: no such file, other numbers of vertices or faces than promised, or an index outside.
    """
    lines = [words for line in read_lines(path) if (words := line.partition('#')[0].split())]
    match = KEYWORD.match(' '.join(lines[0])) if lines else None
    if match is None:
        raise UnreadableError('has no OFF header; check the file.')
    if match[4] or match[5] or 'BINARY' in lines[0]:
        raise UnreadableError('is binary OFF or has not three dimensions; convert it to plain OFF.')
    width = 3 + (3 if match[3] else 0) + (4 if match[2] else 0) + (2 if match[1] else 0)
    lines[0] = ' '.join(lines[0])[match.end() :].split()
    lines = lines if lines[0] else lines[1:]
    num_vertices, num_faces = _counts(lines)
    reasons: list[str] = []
    for header, vertices_of, faces_of in product(
        (3, 2) if len(lines[0]) == 2 else (3,),  # the number of edges may be missing
        (_vertices_by_line, _vertices_free),
        (_faces_by_line, _faces_free),
    ):
        try:
            vertices, rest = vertices_of(_skip(lines, header), num_vertices, width)
            corners, sizes = faces_of(rest, num_faces)
        except (_NotLaidOutError, ValueError) as error:
            reasons.append(str(error))
            continue
        return polygon_mesh(vertices, np.array(corners), np.array(sizes)) if num_faces else vertices
    raise UnreadableError(
        f'does not hold the {num_vertices} vertices and {num_faces} faces that its header promises, to its end '
        f'({reasons[0]}); write it again.'
    )


Lines = list[list[str]]
"""Words of the lines that have some."""


def _counts(lines: Lines) -> tuple[int, int]:
    """Numbers of vertices and faces."""
    words = [word for line in lines[:3] for word in line][:2]
    if len(words) < 2 or not all(word.isascii() and word.isdecimal() for word in words):
        raise UnreadableError('has no numbers of vertices and faces after its OFF; check the file.')
    return check_count(int(words[0]), 'vertices'), check_count(int(words[1]), 'faces')


def _skip(lines: Lines, count: int) -> Lines:
    """What follows the first ``count`` words."""
    for index, line in enumerate(lines):
        if count < len(line):
            return [line[count:] if count else line, *lines[index + 1 :]]
        count -= len(line)
    return []


def _vertices_by_line(lines: Lines, count: int, width: int) -> tuple[np.ndarray, Lines]:
    """Vertices (V, 3) of one line each, all with equally many numbers, and the lines after them."""
    widths = {len(line) for line in lines[:count]}
    if len(lines) < count or len(widths) > 1 or min(widths, default=width) < width - 1:
        raise _NotLaidOutError('not a vertex per line')
    return _table(lines[:count]), lines[count:]


def _vertices_free(lines: Lines, count: int, width: int) -> tuple[np.ndarray, Lines]:
    """Vertices (V, 3) of ``width`` numbers each, and what follows them."""
    words = [word for line in lines for word in line][: count * width]
    if len(words) < count * width:
        raise _NotLaidOutError(f'{len(words)} numbers of vertices')
    rows = [words[start : start + width] for start in range(0, len(words), width)]
    rest = _skip(lines, len(words))
    if rest and len(lines) > 1 and not any(rest[0] is line for line in lines):
        raise _NotLaidOutError('a vertex and a face on one line')
    return _table(rows), rest


def _table(rows: Lines) -> np.ndarray:
    """First three of equally many numbers per row: (V, 3)."""
    table = np.array([[float(word) for word in row] for row in rows], dtype=np.float64)
    if len(rows) and table.shape[1] < 3:
        raise _NotLaidOutError(f'vertices of {table.shape[1]} numbers')
    return table.reshape(len(rows), -1)[:, :3] if len(rows) else np.empty((0, 3))


def _faces_by_line(lines: Lines, count: int) -> tuple[list[int], list[int]]:
    """Corners and sizes of faces of one line each."""
    if len(lines) != count:
        raise _NotLaidOutError(f'{len(lines)} lines of faces')
    corners: list[int] = []
    sizes = [int(line[0]) for line in lines]
    for size, line in zip(sizes, lines):
        color = [float(word) for word in line[1 + size :]]
        if size < 3 or len(line) < 1 + size or len(color) not in COLOR_SIZES:
            raise _NotLaidOutError(f'a face is {" ".join(line)[:60]!r}')
        corners += [int(word) for word in line[1 : 1 + size]]
    return corners, sizes


def _faces_free(lines: Lines, count: int) -> tuple[list[int], list[int]]:
    """Corners and sizes of faces one after the other."""
    words = [word for line in lines for word in line]
    corners: list[int] = []
    sizes: list[int] = []
    position = 0
    while len(sizes) < count and position < len(words):
        size = int(words[position])
        face = words[position + 1 : position + 1 + size]
        if size < 3 or len(face) != size:
            raise _NotLaidOutError(f'face {len(sizes)} has {len(face)} of {size} corners')
        corners += [int(word) for word in face]
        sizes.append(size)
        position += 1 + size
    if len(sizes) != count or position != len(words):
        raise _NotLaidOutError(f'{len(sizes)} faces and {len(words) - position} more numbers')
    return corners, sizes
