"""Comparison of what the headers of LAS and LAZ files declare with the files, before memory is taken."""

from __future__ import annotations

import struct

from ...io.naming import UnreadableError
from ...io.reading import check_count, check_unpacked

VLR_BYTES = 54
"""Bytes of the header of a variable length record."""

COMPRESSED = 0x80
"""Bit of the point format that marks LAZ."""

LAYERED = b'\x03\x00'
"""Compression of LASzip whose chunks hold one layer per attribute, and the number of their points."""

VARIABLE_CHUNKS = 0xFFFFFFFF
"""Size of chunks that says that each has its own."""


def check_header(content: bytes) -> int:
    """Check the public header, by ASPRS' specification 1.0 to 1.4.

    Args:
        content (bytes): the file.

    Returns:
        int: number of points.

    Raises:
        UnreadableError: no header, or one that does not fit the file.
    """
    if content[:4] != b'LASF' or len(content) < 227:
        raise UnreadableError('has no LAS header; check the file.')
    minor = content[25]
    start, records = struct.unpack_from('<II', content, 96)
    kind, size = struct.unpack_from('<BH', content, 104)
    (count,) = struct.unpack_from('<I', content, 107)
    extended = len(content)
    if minor >= 4 and len(content) >= 375:
        extended, _, long_count = struct.unpack_from('<QIQ', content, 235)
        if count not in (0, long_count):
            raise UnreadableError(f'has two numbers of points, {count} and {long_count}; write it again.')
        count, extended = long_count, extended or len(content)
    check_count(count, 'points')
    end = min(extended, len(content))
    if start > end or records * VLR_BYTES > start:
        raise UnreadableError(
            'has a damaged header: its points or records begin after its end; write it again.'
        )
    if kind & COMPRESSED:
        check_unpacked(count * size, len(content), 'points')
    elif count * size > end - start or end - start >= (count + 1) * max(size, 1):
        raise UnreadableError(
            f'has {(end - start) // max(size, 1)} points where its header promises {count}; write it again.'
        )
    return count


def check_chunks(content: bytes, vlr: bytes, count: int) -> None:
    """Check that a LAZ file has as many chunks as its points need.

    Args:
        content (bytes): the file.
        vlr (bytes): its LASzip record.
        count (int): number of points that the header promises.

    Raises:
        UnreadableError: the table of chunks lies outside of the file, or says another number.
    """
    (compressor,) = struct.unpack_from('<H', vlr, 0)
    (chunk_size,) = struct.unpack_from('<I', vlr, 12)
    if compressor not in (2, 3):
        raise UnreadableError(f'has compression {compressor} of LASzip; expected chunks: write it again.')
    (start,) = struct.unpack_from('<I', content, 96)
    (table,) = struct.unpack_from('<q', content, start)
    if table == -1:  # written by a stream that could not go back
        (table,) = struct.unpack_from('<q', content, len(content) - 8)
    if not start <= table <= len(content) - 8:
        raise UnreadableError('is truncated: its table of chunks lies outside of the file; write it again.')
    (chunks,) = struct.unpack_from('<I', content, table + 4)
    if chunk_size == VARIABLE_CHUNKS:
        fits = chunks <= len(content)
    else:
        fits = chunk_size > 0 and chunks == -(-count // chunk_size)
    if not fits:
        raise UnreadableError(
            f'has {chunks} chunks of {chunk_size} points where its header promises {count} points; write it again.'
        )
