from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.fileio import get_file_backend

from point_peft.io.atomic import write_atomically
from point_peft.io.partial import remove_partial_files


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_backend_is_registered(tmp_path: Path) -> None:
    backend = get_file_backend(tmp_path, backend_args=dict(backend='atomic_local'))
    backend.put(b'abc', tmp_path / 'new' / 'a.pth')
    backend.put_text('text', tmp_path / 'b.txt')
    assert (tmp_path / 'new' / 'a.pth').read_bytes() == b'abc'
    assert backend.get_text(tmp_path / 'b.txt') == 'text'
    assert names(tmp_path) == ['b.txt', 'new']


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=st.binary(max_size=50), new=st.binary(max_size=50))
def test_content_is_exact(tmp_path: Path, old: bytes, new: bytes) -> None:
    write_atomically(tmp_path / 'a', old)
    write_atomically(tmp_path / 'a', new)
    assert (tmp_path / 'a').read_bytes() == new
    assert names(tmp_path) == ['a']


@pytest.mark.parametrize('function', ['fsync', 'replace'])
@pytest.mark.parametrize('error', [OSError(errno.ENOSPC, 'No space left on device'), KeyboardInterrupt()])
def test_failure_keeps_the_old_file_and_leaves_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, error: BaseException
) -> None:
    write_atomically(tmp_path / 'a', b'old')

    def fail(*args: Any) -> None:
        raise error

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(error), match="/a'$" if isinstance(error, OSError) else None):
        write_atomically(tmp_path / 'a', b'new')
    assert (tmp_path / 'a').read_bytes() == b'old'
    assert names(tmp_path) == ['a']


def test_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / 'disk').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'disk' / 'a')
    write_atomically(tmp_path / 'link', b'new')
    assert (tmp_path / 'disk' / 'a').read_bytes() == b'new'
    assert (tmp_path / 'link').is_symlink()


def test_kill_between_write_and_replace(tmp_path: Path) -> None:
    code = (
        'import os, signal, sys\n'
        'from point_peft.io.weights.save import write_atomically\n'
        'write_atomically(sys.argv[1], b"old")\n'
        'os.replace = lambda *args: os.kill(os.getpid(), signal.SIGKILL)\n'
        'write_atomically(sys.argv[1], b"new")\n'
    )
    process = subprocess.run([sys.executable, '-c', code, str(tmp_path / 'a')], timeout=60)
    assert process.returncode == -9
    assert (tmp_path / 'a').read_bytes() == b'old'
    assert len(names(tmp_path)) == 2  # the unfinished file is still there
    assert len(remove_partial_files(tmp_path)) == 1
    assert names(tmp_path) == ['a']


def test_files_of_running_processes_and_others_are_left(tmp_path: Path) -> None:
    running = tmp_path / f'.a.pth.{os.getppid()}.partial'
    for path in (running, tmp_path / '.other.partial', tmp_path / 'a.1.partial'):
        path.touch()
    assert remove_partial_files(tmp_path) == []
    assert len(names(tmp_path)) == 3
