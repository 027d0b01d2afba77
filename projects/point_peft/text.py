"""Names that come from data or the disk, made fit to be shown: they are read, never obeyed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

T = TypeVar('T')

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


def plain_console() -> Console:
    """A console of rich that takes ``[bold]`` and ``:smile:`` in texts and tables for what they are, letters."""
    return Console(markup=False, emoji=False, highlight=False)


def track(
    items: Iterable[T], description: str, *, total: int | None = None, disable: bool = False
) -> Iterator[T]:
    """Go through items with a bar of progress that vanishes at the end.

    Args:
        items (Iterable): What to go through.
        description (str): What is said beside the bar, letter by letter.
        total (int | None): How many items there are, if they have no length.
        disable (bool): Whether to show nothing.
    """
    columns = (
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=plain_console(), transient=True, disable=disable) as progress:
        yield from progress.track(items, total=total, description=printable(description))


def _visible(character: str) -> str:
    """An unprintable character as Python writes it; a byte that is no UTF-8 as that byte."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f'\\x{code - 0xDC00:02x}'
    return character.encode('unicode_escape').decode() if not 0xD800 <= code <= 0xDFFF else f'\\u{code:04x}'
