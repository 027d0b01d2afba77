"""Locks of files that processes read, and of directories that one of them fills."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from point_peft.io import locks
from point_peft.io.locks import alone_in, lock

pytestmark = pytest.mark.skipif(locks.fcntl is None, reason='the system has no such locks')


def test_readers_share(tmp_path: Path) -> None:
    """Several may read; nobody else has the file alone until the last has closed it."""
    path = tmp_path / 'a'
    path.touch()
    with path.open('rb') as first, path.open('rb') as second, path.open('rb') as other:
        assert lock(first.fileno(), shared=True) and lock(second.fileno(), shared=True)
        first.close()
        assert not lock(other.fileno())
        second.close()
        assert lock(other.fileno())
        with path.open('rb') as late:
            assert not lock(late.fileno(), shared=True)


def _note(folder: Path, name: str, inside: object, go_on: object) -> None:
    with alone_in(folder), (folder / 'order').open('a') as file:
        file.write(f'{name} in\n')
        file.flush()
        inside.set()
        go_on.wait(30)
        file.write(f'{name} out\n')


def test_one_at_a_time(tmp_path: Path, log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one waits, says so once, and is let in when the first is gone, also if it was killed."""
    monkeypatch.setattr(locks, 'WAIT', 0.01)
    context = multiprocessing.get_context('fork')
    inside, go_on = context.Event(), context.Event()
    process = context.Process(target=_note, args=(tmp_path, 'child', inside, go_on))
    process.start()
    assert inside.wait(30)
    looks = iter(range(5))

    def sleep(seconds: float) -> None:
        if next(looks) == 3:
            process.kill()
            process.join()

    monkeypatch.setattr(locks.time, 'sleep', sleep)
    with alone_in(tmp_path, waiting='it is being read'):
        assert next(looks) == 4
    assert log == [('INFO', 'it is being read')]
    assert (tmp_path / 'order').read_text() == 'child in\n'
    assert os.listdir(tmp_path).count('.lock') == 1
