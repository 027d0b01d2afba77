"""Reading of STL meshes, ascii and binary."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from ...io.naming import UnreadableError
from ...io.reading import check_count, read_bytes, read_lines, without_bom
from .mesh import Mesh

RECORD = np.dtype([('normal', '<f4', (3,)), ('corners', '<f4', (3, 3)), ('attribute', '<u2')])
"""A triangle of the binary format."""

HEADER_BYTES = 84
"""Free text, which may begin with ``solid`` too, and the number of triangles."""

CORNER = ('vertex', '*', '*', '*')
FACET = ('facet', 'normal', '*', '*', '*', 'outer', 'loop', *CORNER, *CORNER, *CORNER, 'endloop', 'endfacet')
"""A triangle of the ascii format; stars are numbers."""

CORNERS = [place for place, word in enumerate(FACET) if word == '*'][3:]
"""Places of the coordinates among these words."""


def read_stl(path: Path) -> Mesh:
    """Read the triangles.

    Raises:
        UnreadableError: other numbers of triangles than the header promises, or a text that is not closed.
    """
    content = read_bytes(path)
    if len(content) >= HEADER_BYTES:
        (count,) = struct.unpack_from('<I', content, 80)
        if len(content) == HEADER_BYTES + count * RECORD.itemsize:
            check_count(count, 'triangles')
            return _mesh(np.frombuffer(content, RECORD, offset=HEADER_BYTES)['corners'])
    start = without_bom(content[:1024]).lstrip()[:5].lower()
    if start == b'solid' and (b'facet' in content[:4096].lower() or len(content) < HEADER_BYTES):
        return _ascii(read_lines(path))
    if len(content) < HEADER_BYTES:
        raise UnreadableError('has no STL header; check the file.')
    raise UnreadableError(
        f'has {(len(content) - HEADER_BYTES) / RECORD.itemsize:g} triangles where its header promises {count}; '
        'write it again.'
    )


def _ascii(lines: list[str]) -> Mesh:
    """Triangles of the solids in a text."""
    words: list[str] = []
    is_open = False
    for number, line in enumerate(lines, start=1):
        row = line.split()
        if row and row[0].lower() in ('solid', 'endsolid'):
            opens = row[0].lower() == 'solid'
            if opens == is_open:
                raise UnreadableError(f'has a {row[0]} out of place at line {number}; write it again.')
            is_open = opens
        else:
            words += row
    count = len(words) // len(FACET)
    if is_open or len(words) % len(FACET):
        raise UnreadableError(f'ends within a solid, after {count} triangles; write it again.')
    table = np.array(words, dtype=str).reshape(count, len(FACET))
    for place, word in enumerate(FACET):
        wrong = np.flatnonzero(np.char.lower(table[:, place]) != word) if word != '*' else np.empty(0)
        if len(wrong):
            raise UnreadableError(
                f"has {str(table[wrong[0], place])[:40]!r} in place of '{word}' in triangle {wrong[0]}; write it again."
            )
    try:
        corners = np.array([[float(word) for word in row] for row in table[:, CORNERS].tolist()])
    except ValueError as error:
        raise UnreadableError(f'has a vertex that is no numbers ({error}); write it again.') from error
    return _mesh(corners.reshape(count, 3, 3))


def _mesh(corners: np.ndarray) -> Mesh:
    """Mesh of triangles (T, 3, 3) that share no vertices."""
    if len(corners) == 0:
        raise UnreadableError('has no triangles; write it again or remove it.')
    vertices = corners.reshape(-1, 3).astype(np.float64)
    return Mesh(vertices, np.arange(len(vertices)).reshape(-1, 3))
