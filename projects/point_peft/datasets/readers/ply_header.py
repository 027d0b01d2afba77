"""Comparison of what the header of a PLY file declares with the file, before memory is taken."""

from __future__ import annotations

import re

from ...io.naming import UnreadableError
from ...io.reading import MAX_TEXT_BYTES, check_count

BYTES = {
    **dict.fromkeys(('char', 'int8', 'uchar', 'uint8'), 1),
    **dict.fromkeys(('short', 'int16', 'ushort', 'uint16'), 2),
    **dict.fromkeys(('int', 'int32', 'uint', 'uint32', 'float', 'float32'), 4),
    **dict.fromkeys(('double', 'float64'), 8),
}
"""Bytes of PLY's types."""

END = re.compile(rb'[\r\n]end_header[ \t]*[\r\n]')
"""Last line of a header."""

MAX_HEADER = 1 << 22
"""Bytes within which it must come: a search to the end of a large file that has none takes long."""

BLANKS = re.compile(rb'[ \t]+(?=[\r\n])')
"""Blanks at the end of a line."""

ASCII = bytes(range(128)) + b'?' * 128
"""What stands for every byte of a header."""


def clean_header(content: bytes) -> bytes:
    """Content whose header is as plyfile wants it: ASCII, though comments may have anything, no blanks at line ends."""
    end = _end(content)
    return BLANKS.sub(b'', content[:end].translate(ASCII)) + content[end:]


def check_sizes(content: bytes) -> None:
    """Refuse a file that is too small for the elements that its header declares.

    A row takes at least the bytes of its numbers and of the lengths of its lists; in text two bytes per entry, a digit
    and what separates it.

    Raises:
        UnreadableError: an absurd number, or more rows than fit.
    """
    end = _end(content)
    text, rows, size, count, needed, name = False, 0, 0, 0, 0, ''
    for line in content[:end].decode('ascii').splitlines():
        words = line.split()
        if words[:2] == ['format', 'ascii']:
            text = True
        elif words[:1] == ['element'] and len(words) == 3:
            needed += count * size
            name, count, size = words[1], _count(words[2], words[1]), 0
            rows += count
        elif words[:1] == ['property'] and len(words) > 2:
            size += 2 if text else BYTES.get(words[2] if words[1] == 'list' else words[1], 1)
    needed += count * size
    if text and len(content) > MAX_TEXT_BYTES:
        raise UnreadableError(
            f'has {len(content)} bytes of text; at most {MAX_TEXT_BYTES} are read: thin it out.'
        )
    lines = sum(1 for line in content[end:].splitlines() if line.strip()) if text else rows
    if lines != rows:
        raise UnreadableError(
            f'has {lines} lines after its header, which declares {rows} rows altogether; write it again.'
        )
    if needed > len(content) - end:
        raise UnreadableError(
            f'is truncated: its header declares {count} rows of {name[:40]!r}, altogether at least {needed} bytes, and '
            f'{len(content) - end} follow; write it again.'
        )


def _end(content: bytes) -> int:
    """Position after the header."""
    match = END.search(content, 0, MAX_HEADER) if content.startswith(b'ply') else None
    if match is None:
        raise UnreadableError('has no PLY header that ends with end_header; check the file.')
    return match.end()


def _count(word: str, name: str) -> int:
    """Number of rows of an element."""
    if not word.isdecimal():
        raise UnreadableError(f'declares {word[:40]!r} rows of {name[:40]!r}; write it again.')
    return check_count(int(word), f'rows of {name[:40]!r}')
