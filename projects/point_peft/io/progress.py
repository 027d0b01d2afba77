"""Progress and tables on the terminal, in which texts are letters and nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from .text import printable

T = TypeVar('T')


def plain_console() -> Console:
    """A console of rich that takes ``[bold]`` and ``:smile:`` in texts and tables for what they are, letters."""
    return Console(markup=False, emoji=False, highlight=False)


def track(
    items: Iterable[T], description: str, *, total: int | None = None, disable: bool = False
) -> Iterator[T]:
    """Go through items with a bar of progress that vanishes at the end; only a terminal shows one.

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
    console = plain_console()
    disable = disable or not console.is_interactive
    with Progress(*columns, console=console, transient=True, disable=disable) as progress:
        yield from progress.track(items, total=total, description=printable(description))
