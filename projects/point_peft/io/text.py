"""Names that come from data or the disk, made fit to be shown: they are read, never obeyed."""

from __future__ import annotations

from collections.abc import Collection
from os import PathLike, fspath

_NAMES_SHOWN = 6

JOINERS = '\u200c\u200d'
"""Characters without a width that scripts and emoji need; they do nothing else."""


def printable(name: object) -> str:
    r"""A name on one line, in which nothing acts on a terminal or breaks an encoder.

    Control characters, line breaks and characters that turn the direction of writing show as ``\x1b`` or ``\u202e``;
    bytes of a file name that are no UTF-8, which Python holds as lone surrogates, as ``\xff``.

    Args:
        name (object): Text, path, or anything with a text.
    """
    text = fspath(name) if isinstance(name, PathLike) else name
    text = text.decode(errors='surrogateescape') if isinstance(text, bytes) else str(text)
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() or c in JOINERS else _visible(c) for c in text)


def printable_lines(text: object) -> str:
    """As :func:`printable`, but line breaks and tabs of the text stay, as its layout is ours."""
    return '\n'.join(
        '\t'.join(printable(part) for part in line.split('\t')) for line in str(text).split('\n')
    )


def label(text: object) -> str:
    """Text that Matplotlib draws letter by letter: ``$`` starts no formula in it; line breaks stay."""
    return printable_lines(text).replace('$', r'\$')


def shorten(names: Collection[str]) -> str:
    """A few of the names and how many there are."""
    shown = ', '.join(list(names)[:_NAMES_SHOWN]) or 'none'
    return f'{shown} ... ({len(names)} in all)' if len(names) > _NAMES_SHOWN else shown


def _visible(character: str) -> str:
    """An unprintable character as Python writes it; a byte that is no UTF-8 as that byte."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f'\\x{code - 0xDC00:02x}'
    return character.encode('unicode_escape').decode() if not 0xD800 <= code <= 0xDFFF else f'\\u{code:04x}'
