"""Reading of OBJ meshes (Wavefront)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...io.naming import UnreadableError
from ...io.reading import read_lines
from .mesh import Mesh
from .polygons import polygon_mesh

NUMERIC = 'v vt vn vp f fo l p'
"""Statements that hold numbers, which a backslash continues on the next line."""

CURVED = 'curv curv2 surf parm trim hole scrv sp end deg bmat step cstype con'
"""Statements of free-form curves and surfaces, which are not read."""

OTHER = (
    'g s mg o bevel c_interp d_interp lod usemtl mtllib usemap maplib shadow_obj trace_obj ctech stech '
    'call csh bsp bzp cdc cdp res'
)
"""Statements that say nothing of the shape."""

KNOWN = frozenset(f'{NUMERIC} {OTHER}'.split())


def read_obj(path: Path) -> np.ndarray | Mesh:
    """Read the faces, or the vertices of a file without faces.

    A vertex may have more than three numbers (a weight, a color). Negative indices count back from the last vertex
    that comes before the face.

    Raises:
        UnreadableError: a line that is no OBJ, a free-form surface, or an index outside; names the line.
    """
    vertices: list[list[float]] = []
    corners: list[int] = []
    sizes: list[int] = []
    for number, words in _statements(read_lines(path)):
        keyword, *values = words
        try:
            if keyword == 'v':
                vertices.append(_vertex(values))
            elif keyword in ('f', 'fo'):
                corners += [_index(value, len(vertices)) for value in values]
                sizes.append(len(values))
            elif keyword not in KNOWN:
                what = 'a free-form surface' if keyword in CURVED.split() else 'no statement of OBJ'
                raise ValueError(f'{keyword[:40]!r} is {what}')
        except ValueError as error:
            raise UnreadableError(f'cannot be read at line {number} ({error}); check the file.') from error
    if not vertices:
        raise UnreadableError('has no vertices; check the file.')
    table = np.array(vertices, dtype=np.float64)
    return polygon_mesh(table, np.array(corners), np.array(sizes)) if sizes else table


def _statements(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of every statement, without comments."""
    rows = iter(enumerate(lines, start=1))
    for number, line in rows:
        words = line.partition('#')[0].split()
        while words and words[0] in NUMERIC.split() and words[-1].endswith('\\'):
            words[-1] = words[-1][:-1]
            words = [word for word in words if word] + next(rows, (0, ''))[1].partition('#')[0].split()
        if words:
            yield number, words


def _vertex(values: list[str]) -> list[float]:
    """Coordinates of a ``v`` statement."""
    numbers = [float(value) for value in values]
    if not 3 <= len(numbers) <= 8:
        raise ValueError(f'a vertex of {len(numbers)} numbers')
    return numbers[:3]


def _index(value: str, count: int) -> int:
    """Vertex, counted from zero, of a corner ``v``, ``v/vt``, ``v//vn`` or ``v/vt/vn``."""
    index = int(value.partition('/')[0])
    if index == 0 or index < -count:
        raise ValueError(f'a face refers to vertex {index} after {count} vertices')
    return index - 1 if index > 0 else count + index
