"""Reading of bytes and text within bounds that do not depend on what a file claims."""

from __future__ import annotations

import codecs
from pathlib import Path

from .naming import UnreadableError

MAX_BYTES = 1 << 30
"""Largest file of one cloud: 1 GiB.

A cloud of 50 million points with color takes 0.8 GB, a thousand times what these networks take in, so a larger number
is a damaged header or no object.
"""

MAX_TEXT_BYTES = 1 << 28
"""Largest text: its words take up to ten times the memory of the file."""

MAX_POINTS = 50_000_000
"""Largest number of points, vertices or faces that a file may declare; they take 1.2 GB in float64."""

SMALL = 1 << 26
"""Bytes up to which an array may be packed at will, as labels that are all alike are."""

MAX_RATIOS = ((1 << 30, 100), (1 << 34, 8))
"""Pairs of bytes and of how many times what is stored an array of at most so many bytes may become.

Coordinates pack to a half or a third, and no array of clouds has more than 16 GiB.
"""

BOMS = (
    (codecs.BOM_UTF8, 'utf-8'),
    (codecs.BOM_UTF32_LE, 'utf-32-le'),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, 'utf-32-be'),
    (codecs.BOM_UTF16_LE, 'utf-16-le'),
    (codecs.BOM_UTF16_BE, 'utf-16-be'),
)
"""Byte-order marks, which editors of Windows put before a text."""


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Content of a file of at most ``limit`` bytes.

    Raises:
        UnreadableError: the file is empty or larger.
    """
    check_file_size(path, limit)
    with path.open('rb') as file:
        content = file.read(limit)
    if not content:
        raise UnreadableError('is empty; write it again or remove it.')
    return content


def check_file_size(path: Path, limit: int = MAX_BYTES) -> int:
    """Number of bytes of a file, if it is at most ``limit``.

    Raises:
        UnreadableError: it is larger.
    """
    size = path.stat().st_size
    if size > limit:
        raise UnreadableError(
            f'has {size} bytes; at most {limit} are read, for a cloud of one object is far smaller: thin it out.'
        )
    return size


def without_bom(content: bytes) -> bytes:
    """Content that begins with a byte-order mark, in UTF-8 without it; any other as it is."""
    for mark, encoding in BOMS:
        if content.startswith(mark):
            if encoding == 'utf-8':
                return content[len(mark) :]
            return content[len(mark) :].decode(encoding).encode()
    return content


def read_lines(path: Path) -> list[str]:
    """Lines of a text file with any line ends, in UTF-8, UTF-16 with a mark, or else Latin-1.

    Latin-1 takes every byte, which is right for comments and names; numbers are ASCII in all of them.

    Raises:
        UnreadableError: the file is empty, too large, or no text.
    """
    content = without_bom(read_bytes(path, MAX_TEXT_BYTES))
    if b'\0' in content:
        raise UnreadableError('holds bytes that are no text; check the file.')
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode('latin-1')
    return text.replace('\r\n', '\n').replace('\r', '\n').split('\n')


def check_count(count: int, what: str) -> int:
    """Refuse a number of points or faces that no file of one object has, before memory is taken for it.

    Raises:
        UnreadableError: a negative or absurd number.
    """
    if not 0 <= count <= MAX_POINTS:
        raise UnreadableError(
            f'declares {count} {what}; between 0 and {MAX_POINTS} are read: it is damaged, or has to be thinned out.'
        )
    return count


def check_unpacked(unpacked: int, stored: int, what: str) -> None:
    """Refuse an array that becomes absurdly large when it is unpacked.

    Args:
        unpacked (int): bytes that the array declares.
        stored (int): bytes that it takes in the file.
        what (str): name of the array.

    Raises:
        UnreadableError: more than :data:`MAX_RATIOS` allow.
    """
    ratio = next((ratio for size, ratio in MAX_RATIOS if unpacked <= size), 0)
    if unpacked > SMALL and unpacked > ratio * stored:
        raise UnreadableError(
            f'declares {unpacked} bytes of {what} and stores {stored}; it is damaged or made to fill the memory.'
        )
