from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from point_peft.io.atomic import open_atomically
from point_peft.io.partial import remove_partial_files

OLD = 10.0
"""A time in 1970, before any process that runs now."""


def partial(directory: Path, process: int, *, time: float | None = None) -> Path:
    """An unfinished file of a process, written at a time."""
    path = directory / f'.epoch_9.pth.{process}.partial'
    path.write_bytes(b'half')
    if time is not None:
        os.utime(path, (time, time))
    return path


@pytest.mark.parametrize('which', ['parent', 'own', 'first'])
def test_number_of_a_dead_process_that_another_has_got(tmp_path: Path, which: str) -> None:
    """The process with this number is younger than the file, so it cannot be the writer."""
    path = partial(tmp_path, dict(parent=os.getppid(), own=os.getpid(), first=1)[which], time=OLD)
    assert remove_partial_files(tmp_path) == [path.name]
    assert not path.exists()


def test_file_that_is_being_written_in_another_container(tmp_path: Path) -> None:
    """Its writer's number means nothing here, but it holds the lock."""
    code = (
        'import sys\n'
        'from point_peft.io import atomic\n'
        'atomic.os.getpid = lambda: 999999999\n'
        'with atomic.open_atomically(sys.argv[1]) as file:\n'
        '    print("open", flush=True)\n'
        '    sys.stdin.readline()\n'
        '    file.write(b"new")\n'
    )
    command = [sys.executable, '-c', code, str(tmp_path / 'a')]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdin is not None
        assert writer.stdout.readline() == 'open\n'
        assert remove_partial_files(tmp_path) == []
        writer.stdin.write('\n')
        writer.stdin.close()
        assert writer.wait(60) == 0
    assert (tmp_path / 'a').read_bytes() == b'new'
    assert len(list(tmp_path.iterdir())) == 1


def test_what_only_looks_unfinished_is_left(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / '.a.999999999.partial')
    (tmp_path / '.b.999999999.partial').mkdir()
    assert remove_partial_files(tmp_path) == []
    assert remove_partial_files(tmp_path / 'none') == []
    assert len(list(tmp_path.iterdir())) == 2


def test_pipes_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    """They are written to; a plain file in place of ``/dev/null`` would break the machine."""
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open_atomically(pipe) as file:
            file.write(b'content')
        assert os.read(reader, 100) == b'content'
    finally:
        os.close(reader)
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_failure_of_the_writer(tmp_path: Path) -> None:
    (tmp_path / 'a').write_bytes(b'old')
    with pytest.raises(ZeroDivisionError), open_atomically(tmp_path / 'a') as file:
        file.write(b'half')
        1 / 0  # noqa: B018
    assert (tmp_path / 'a').read_bytes() == b'old'
    assert len(list(tmp_path.iterdir())) == 1
