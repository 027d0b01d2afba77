"""Values of command-line flags that are checked when they are read."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from ..engine.config.values import MAX_SEED
from ..engine.runtime.device import NO_DEVICE, is_device
from ..io.errors import ConfigError
from ..io.text import printable


def at_least(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """Type of a flag that takes a whole number in a range."""

    def convert(text: str) -> int:
        limits = f'of at least {minimum}' if maximum is None else f'from {minimum} to {maximum}'
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if number < minimum or (maximum is not None and number > maximum):
            raise argparse.ArgumentTypeError(f"'{printable(text)}': give a whole number {limits}.")
        return number

    return convert


seed = at_least(0, MAX_SEED)
"""Type of a flag that takes a seed."""


def share(text: str) -> float:
    """Type of a flag that takes a number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"'{printable(text)}': give a number from 0 to 1.")
    return number


def path(text: str) -> Path:
    """Type of a flag that takes a path; ``~`` is the home directory."""
    return Path(os.path.expanduser(text))


def file_or_url(text: str) -> str:
    """Type of a flag that takes a path or an address; ``~`` is the home directory."""
    return os.path.expanduser(text)


def device(text: str) -> str:
    """Type of a flag that takes a device."""
    if not is_device(text):
        raise argparse.ArgumentTypeError(f"'{printable(text)}' {NO_DEVICE}")
    return text


def check_output(file: str | Path, flag: str) -> None:
    """Check that a file can be written, before anything takes its time; its directory will be made.

    Args:
        file (str | Path): The file.
        flag (str): The flag that names it.

    Raises:
        ConfigError: It is a directory, or something that is none stands in the way.
    """
    file = Path(os.path.abspath(file))
    if file.is_dir():
        raise ConfigError(f"{flag} '{printable(file)}' is a directory; give the name of a file.")
    there = next(place for place in file.parents if os.path.lexists(place))
    if not there.is_dir():
        raise ConfigError(f"{flag} '{printable(file)}' cannot be written, as '{printable(there)}' is a file.")
    if not os.access(there, os.W_OK | os.X_OK) or (file.exists() and not os.access(file, os.W_OK)):
        raise ConfigError(f"{flag} '{printable(file)}' cannot be written to; give another place.")
