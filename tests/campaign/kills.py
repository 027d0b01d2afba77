"""Trainings that are killed, once or several times, and gone on with."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .scene import Scene, check_usable

SAVED = ('epoch_', 'best_', 'last_checkpoint', 'memory_bank', 'protocol.json')
"""Beginnings of the names of files that matter."""


def at_a_random_moment(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """SIGKILL anywhere in a run, up to three times; then the run goes on to its end."""
    for attempt in range(rng.randint(1, 3)):
        child = scene.train(work_dir, *(['--resume', 'auto'] if attempt else []))
        time.sleep(rng.uniform(0.05, 1.0) * seconds)
        child.kill()
        check_usable(work_dir)
    scene.resume(work_dir)
    scene.check_result(work_dir)


def while_saving(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """SIGKILL in the middle of writing a file, before it is complete or before it has its name."""
    child = scene.train(work_dir, before=_dying_writer(rng.randint(1, 24), rng.random()))
    code = child.wait()
    assert code in (0, -signal.SIGKILL), child.tail()
    check_usable(work_dir)
    scene.resume(work_dir)
    scene.check_result(work_dir)


def _dying_writer(number: int, part: float) -> Callable[[], None]:
    """Let the process die at the n-th of its atomic writes, when a part of the content is written, or all of it."""

    def install() -> None:
        seen = 0
        fsync, replace = os.fsync, os.replace

        def die(path: str) -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                if part < 0.5 and os.path.exists(path):
                    os.truncate(path, int(os.path.getsize(path) * part * 2))
                os.kill(os.getpid(), signal.SIGKILL)

        def dying_fsync(handle: int) -> None:
            fsync(handle)
            name = os.readlink(f'/proc/self/fd/{handle}')
            if name.endswith('.partial'):
                die(name)

        def dying_replace(source: str, target: str) -> None:
            if os.path.basename(target).startswith(SAVED):
                die(os.fspath(source))
            replace(source, target)

        os.fsync, os.replace = dying_fsync, dying_replace  # type: ignore[assignment]

    assert sys.platform == 'linux'
    return install
