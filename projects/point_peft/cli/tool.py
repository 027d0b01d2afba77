"""What the command-line tools share: flags, errors as sentences, and exit codes."""

from __future__ import annotations

import argparse
import errno
import io
import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from types import FrameType

from ..engine.config import ConfigOptions
from ..engine.runtime.allocator import keep_freed_memory
from ..engine.runtime.console import spare_output
from ..engine.runtime.distributed import leave_processes
from ..io.errors import PointPEFTError
from ..io.text import printable_lines
from .arguments import path

FAILED = 1
EXIT_BY_SIGNAL = 128
"""A run that a signal ends exits with this plus the number of the signal, as shells have it."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of errors that say that there is no room."""

DISK_TROUBLE = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM)
"""Numbers of errors that say that a disk is full, over quota, read-only or forbidden."""

IN_WORKER = re.compile(r'Caught (\w+) in DataLoader worker process \d+\.\n.*\n[\w.]*\1: (.*)', re.DOTALL)
"""What PyTorch makes of an error in a process that loads data: its class, a traceback, and what it said."""


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that training and testing share."""
    parser.add_argument(
        '--work-dir',
        type=path,
        help='directory for logs and checkpoints (default: work_dirs/METHOD/CONFIG)',
    )
    add_config_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='who started the processes (dist_train.sh: pytorch, slurm_train.sh: slurm)',
    )
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto', help='device to run on')
    # The launchers of old and new torch spell it differently; the environment variable is what counts.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, which every tool that reads a config takes."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        default={},
        metavar='KEY=VALUE',
        help='change the config, e.g. optim_wrapper.optimizer.lr=1e-4 data_root=/data/modelnet40',
    )


def run_tool(main: Callable[[argparse.Namespace], object], args: argparse.Namespace) -> int:
    """Run the body of a tool and turn its end into an exit code.

    Errors that speak to the user are printed as one sentence; others keep their traceback. SIGTERM and SIGINT
    end the tool with 143 and 130 after files are closed.

    Args:
        main (Callable): Body of the tool.
        args (argparse.Namespace): Its arguments; ``launcher`` counts if there is one.
    """
    received: list[signal.Signals] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        raise KeyboardInterrupt

    if getattr(args, 'launcher', 'none') == 'none':
        # Of several processes one may wait for another in C++, where a handler would not run.
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
    _write_anything()
    spare_output()
    keep_freed_memory()
    try:
        main(args)
    except BaseException as error:
        # A library may have turned the interrupt into an error of its own.
        if received or isinstance(error, KeyboardInterrupt):
            return _interrupted(received[0] if received else signal.SIGINT)
        if not speaks_to_user(error):
            raise
        _report(error)
        return FAILED
    leave_processes()
    return 0


def speaks_to_user(error: BaseException) -> bool:
    """Whether an error is a sentence for the user: one of the package's own, or the system's about a disk."""
    return isinstance(error, PointPEFTError) or (isinstance(error, OSError) and error.errno in DISK_TROUBLE)


def _write_anything() -> None:
    """Let names that no encoding has, and what would act on a terminal, be written and logged; they become visible."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
    logging.setLogRecordFactory(_PrintableRecord)


class _PrintableRecord(logging.LogRecord):
    """A record of a log whose message is what it says and nothing more."""

    def getMessage(self) -> str:
        """The message with control characters made visible."""
        return printable_lines(super().getMessage())


def _interrupted(number: signal.Signals) -> int:
    """Say how to go on, and give the exit code of a signal."""
    for repeated in (signal.SIGTERM, signal.SIGINT):
        signal.signal(repeated, signal.SIG_IGN)  # on its way out, the exit code must not change any more
    print(
        f'interrupted by {number.name}; train.py --resume auto goes on from the last checkpoint',
        file=sys.stderr,
        flush=True,
    )
    return EXIT_BY_SIGNAL + number


def _report(error: BaseException) -> None:
    """Print an error as one sentence, without what PyTorch puts around one from a process that loads data."""
    said = IN_WORKER.fullmatch(str(error))
    sentence = printable_lines(said[2].rstrip() if said else error)
    rank = os.environ.get('RANK')
    sys.stdout.flush()
    print(
        f'error: {sentence}' if rank is None else f'error (process {rank}): {sentence}',
        file=sys.stderr,
        flush=True,
    )
