"""Output that a run can do without."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO


class SparedStream:
    """A text stream that may fail: a full disk behind ``> log.txt``, or a reader that has gone.

    What cannot be written is lost, which is said once on the error output; everything else is the stream's own.

    Args:
        stream (TextIO): The stream.
        name (str): What it is, for that message.
    """

    def __init__(self, stream: TextIO, name: str = 'the output') -> None:
        self._stream = stream
        self._name = name
        self._said = False

    def write(self, text: str) -> int:
        """Write, if that is possible."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._say(error)
            return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        try:
            self._stream.flush()
        except OSError as error:
            self._say(error)

    def __getattr__(self, name: str) -> Any:
        """Everything else of the stream."""
        return getattr(self._stream, name)

    def _say(self, error: OSError) -> None:
        """Say once that something is lost, if there is a place to say it."""
        if not self._said and self is not sys.stderr:
            self._said = True
            print(f'{self._name} cannot be written ({error}); the run goes on', file=sys.stderr, flush=True)


def spare_output() -> None:
    """Let no tool die of a line that it cannot print."""
    for name in ('stdout', 'stderr'):
        stream = getattr(sys, name)
        if stream is None:  # closed before the start
            stream = open(os.devnull, 'w', encoding='utf-8')  # noqa: SIM115 - for as long as the process lives
        if not isinstance(stream, SparedStream):
            setattr(sys, name, SparedStream(stream))
