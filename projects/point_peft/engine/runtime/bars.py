"""A bar of progress for the loops of a run."""

from __future__ import annotations

import logging
import sys
import time
from datetime import timedelta

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from ...io.progress import plain_console
from ...io.text import printable
from .screen import screen_handlers

PERIOD = 0.1
"""Seconds between two drawings."""


def has_terminal() -> bool:
    """Whether the output goes to a terminal on which a bar can move; in files, pipes and CI it cannot."""
    return sys.stdout.isatty() and plain_console().is_interactive


class LoopBar:
    """The bar of the loop that is running; what is printed and logged meanwhile appears above it.

    There is one at a time, and no thread draws it: processes that load data are forked while it is shown, and one would
    inherit the locks that a thread holds.
    """

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._description = ''
        self._drawn = 0.0
        self._streams: list[tuple[logging.StreamHandler, object]] = []

    @property
    def is_shown(self) -> bool:
        """Whether there is a bar."""
        return self._progress is not None

    def show(self, logger: logging.Logger, description: str, total: int, *, keep: bool = False) -> None:
        """Show a bar, unless that is what is shown already.

        Args:
            logger (Logger): Logger whose lines are to appear above it.
            description (str): What is said before it, which tells it from other bars.
            total (int): Iterations at its end.
            keep (bool): Whether it stays on the screen when it has ended.
        """
        if self._progress is not None and self._description == description:
            return
        self.end()
        self._description, self._drawn = description, 0.0
        self._progress = Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            _Status(table_column=Column(no_wrap=True)),
            console=plain_console(),
            auto_refresh=False,
            transient=not keep,
            expand=True,
        )
        self._progress.add_task(printable(description), total=total, loss=None, rest=None)
        self._progress.start()
        self._streams = [(handler, handler.setStream(sys.stdout)) for handler in screen_handlers(logger)]

    def advance(self, done: int, *, loss: float | None = None, rest: float | None = None) -> None:
        """Say how far the loop is; the bar ends with it.

        Args:
            done (int): Iterations that are done.
            loss (float | None): Loss of the last ones.
            rest (float | None): Seconds until the end of the training.
        """
        if self._progress is None:
            return
        (task,) = self._progress.tasks
        is_over = task.total is not None and done >= task.total
        if is_over or time.monotonic() - self._drawn >= PERIOD:
            self._progress.update(task.id, completed=done, loss=loss, rest=rest, refresh=True)
            self._drawn = time.monotonic()
        if is_over:
            self.end()

    def end(self) -> None:
        """End the bar, if there is one, and give the log its stream back."""
        if self._progress is None:
            return
        progress, self._progress = self._progress, None
        progress.stop()
        for handler, stream in self._streams:
            if stream is not None:
                handler.setStream(stream)
        self._streams = []


class _Status(ProgressColumn):
    """Loss, iterations per second, and time until the end of the loop and of the training."""

    def render(self, task: Task) -> Text:
        """One line of text."""
        parts = [] if task.fields['loss'] is None else [f'loss {task.fields["loss"]:.4f}']
        if speed := task.finished_speed or task.speed:
            parts.append(f'{speed:.1f} it/s' if speed >= 1 else f'{1 / speed:.1f} s/it')
        if task.finished:
            parts.append(f'in {_clock(task.finished_time)}')
        elif task.time_remaining is not None:
            rest = task.fields['rest']
            parts.append(
                f'{_clock(task.time_remaining)} left' + ('' if rest is None else f', {_clock(rest)} in all')
            )
        return Text('  '.join(parts))


def _clock(seconds: float | None) -> str:
    """``h:mm:ss``."""
    return str(timedelta(seconds=round(seconds or 0)))
