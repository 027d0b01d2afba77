"""Trainings on disks that are full, for a moment or for good."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .children import Child
from .scene import EPOCHS, Scene, check_usable, one_sentence

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)

WRITING = os.O_WRONLY | os.O_RDWR
"""Flags of a file that is opened to write to it."""

NEEDED = (f'epoch_{EPOCHS}.pth', 'best_')
"""Beginnings of the names of files without which a training would be for nothing."""


def one_operation(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """A single opening, renaming, deleting or making of a directory fails; only what it was for is lost."""
    failed = work_dir.with_suffix('.failed')
    child = scene.train(
        work_dir, before=_failing_operation(work_dir, rng.randint(0, 75), rng.choice(ERRORS), failed)
    )
    code = child.wait()
    victim = failed.read_text() if failed.exists() else ''
    check_usable(work_dir)
    if code != 0:
        needed = victim.startswith('os.mkdir') or any(name in victim for name in NEEDED)
        assert needed, f'ended with {code} after {victim} failed: {child.tail()}'
        one_sentence(child)
        scene.resume(work_dir)
    if not any(name in victim for name in ('protocol.json', 'memory_bank', 'best_', 'os.remove')):
        scene.check_result(work_dir)
    else:
        scene.check_weights(work_dir)


def for_a_moment(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """No byte can be written for a while; there is room again before the end."""
    child = scene.train(work_dir)
    time.sleep(rng.uniform(0.2, 0.6) * seconds)
    child.limit_files(rng.choice([0, 1000, 100_000]))
    time.sleep(0.2 * seconds)
    child.limit_files(-1)
    _end_or_resume(scene, work_dir, child)


def for_good(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """No checkpoint can be written from some moment on; the end is an error, and what was saved before is good."""
    child = scene.train(work_dir)
    time.sleep(rng.uniform(0.05, 0.7) * seconds)
    child.limit_files(100_000)
    _end_or_resume(scene, work_dir, child)


def small_partition(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """A partition of its own that is full, of bytes or of files; with more room the run goes on."""
    inodes = rng.random() < 0.5
    size = f'size=1g,nr_inodes={rng.randint(6, 30)}' if inodes else f'size={rng.randint(200, 9000)}k'
    work_dir.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', size, 'tmpfs', str(work_dir)], check=True)
    try:
        child = scene.train(work_dir)
        if child.wait() != 0:
            one_sentence(child)
            check_usable(work_dir)
        subprocess.run(['mount', '-o', 'remount,size=1g,nr_inodes=10000', str(work_dir)], check=True)
        scene.resume(work_dir)
        scene.check_weights(work_dir)
        check_usable(work_dir)
    finally:
        subprocess.run(['umount', str(work_dir)], check=True)


def _end_or_resume(scene: Scene, work_dir: Path, child: Child) -> None:
    """A run ends well, or in one sentence after which it goes on."""
    if child.wait() != 0:
        one_sentence(child)
        check_usable(work_dir)
        scene.resume(work_dir)
    scene.check_weights(work_dir)
    check_usable(work_dir)


def _failing_operation(work_dir: Path, number: int, error: int, note: Path) -> Callable[[], None]:
    """Let the n-th operation on files below a directory fail, and note which that was."""

    def install() -> None:
        seen = 0

        def fail(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if event not in ('open', 'os.mkdir', 'os.rename', 'os.remove') or not arguments:
                return
            if event == 'open' and not (arguments[2] or 0) & WRITING:
                return
            path = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes)) else ''
            if not path.startswith(str(work_dir)):
                return
            seen += 1
            if seen == number:
                handle = os.open(note, os.O_WRONLY | os.O_CREAT)
                os.write(handle, f'{event} {path[len(str(work_dir)) :]}'.encode())
                os.close(handle)
                raise OSError(error, os.strerror(error), path)

        sys.addaudithook(fail)

    return install
