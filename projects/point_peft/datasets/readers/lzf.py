"""Decompression of LZF, in which PCD files are compressed."""

from __future__ import annotations

from ...io.naming import UnreadableError

MAX_EXPANSION = 88
"""Three bytes become at most 264."""


def decompress(data: bytes, size: int) -> bytes:
    """Unpack a block of LZF.

    A control byte below 32 is followed by one more literal bytes than it says; any other is a repetition of what was
    unpacked before, its length in the upper three bits (7: plus the next byte), its distance in the other thirteen.

    Args:
        data (bytes): the block.
        size (int): number of bytes that it unpacks to.

    Raises:
        UnreadableError: it unpacks to another number of bytes, or refers to what lies before its beginning.
    """
    if size > MAX_EXPANSION * len(data):
        raise UnreadableError(f'declares {size} bytes packed into {len(data)}, which LZF cannot do.')
    out = bytearray()
    position, end = 0, len(data)
    try:
        while position < end:
            control = data[position]
            position += 1
            if control < 32:
                out += data[position : position + control + 1]
                position += control + 1
                continue
            length = (control >> 5) + 2
            if length == 9:
                length += data[position]
                position += 1
            distance = ((control & 31) << 8) + data[position] + 1
            position += 1
            start = len(out) - distance
            if start < 0:
                raise UnreadableError(
                    'is damaged: its packed data refer to what lies before their beginning.'
                )
            if length <= distance:
                out += out[start : start + length]
            else:  # the repetition overlaps itself
                out += (out[start:] * (length // distance + 1))[:length]
    except IndexError:
        raise UnreadableError('is truncated: its packed data end within a repetition.') from None
    if len(out) != size or position != end:
        raise UnreadableError(f'is damaged: its packed data do not unpack to the {size} bytes declared.')
    return bytes(out)
