"""The errors of readers: each names its file and says in one sentence what is wrong."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .errors import DatasetError, DatasetNotFoundError


class UnreadableError(ValueError):
    """What is wrong with a file, as the rest of a sentence that its name begins."""


@contextmanager
def naming(path: Path, kind: str) -> Iterator[None]:
    """Check that ``path`` is a file, and let every error of reading it name it.

    Pipes, devices, sockets and directories are refused before anything is opened, since opening can block.

    Args:
        path (Path): the file.
        kind (str): its format, for the message.

    Raises:
        DatasetNotFoundError: no such file.
        DatasetError: anything else, whatever the code of the format trips over.
    """
    try:
        check_is_file(path)
        # Numbers that overflow are refused where they matter, and what a parser warns of is an error or nothing.
        with np.errstate(all='ignore'), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    except (DatasetError, DatasetNotFoundError):
        raise
    except UnreadableError as error:
        raise DatasetError(f"'{path}' {_short(error, 500)}") from error
    except FileNotFoundError as error:
        raise DatasetNotFoundError(
            f"'{path}' does not exist; unpack the dataset again or remove it from the lists."
        ) from error
    except OSError as error:
        raise DatasetError(
            f"'{path}' cannot be opened ({error.strerror or error}); check the file and its permissions."
        ) from error
    except MemoryError as error:
        raise DatasetError(f"'{path}' asks for more memory than there is; check the file.") from error
    except Exception as error:  # parsers raise whatever a damaged file makes them trip over
        raise DatasetError(
            f"'{path}' cannot be read as {kind} ({type(error).__name__}: {_short(error)}); it is damaged, or of "
            'another format: check the file.'
        ) from error


def check_is_file(path: Path) -> None:
    """Refuse what is no regular file, following links.

    Raises:
        OSError: nothing there, no permission, or a loop of links.
        UnreadableError: a directory, pipe, device or socket.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: 'directory', stat.S_IFIFO: 'pipe', stat.S_IFSOCK: 'socket'}
        raise UnreadableError(
            f'is a {kinds.get(stat.S_IFMT(mode), "device")}, not a file; remove it or put the file in its place.'
        )


def _short(error: Exception, limit: int = 160) -> str:
    """Text of an error on one line, cut where a parser quotes half the file."""
    text = ' '.join(str(error)[: 2 * limit].split())
    return text if len(text) <= limit else f'{text[:limit]}...'
