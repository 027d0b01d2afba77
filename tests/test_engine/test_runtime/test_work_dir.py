from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from point_peft.engine.config.work_dir import (
    default_work_dir,
    fresh_work_dir,
    newest_work_dir,
    work_dir_of_data,
)
from point_peft.engine.runtime.work_dir import LOCK, check_work_dir, locked_work_dir
from point_peft.io.errors import ConfigError

HOLD = """
import sys, time
from point_peft.engine.runtime.work_dir import locked_work_dir
with locked_work_dir(sys.argv[1]):
    print('held', flush=True)
    sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen:
    """A process that holds a work dir until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(path)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == 'held\n'
    return process


def test_second_run_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    work = tmp_path / 'a' / 'work'
    first = hold(work)
    with (
        pytest.raises(
            ConfigError, match=rf'work. is in use by process {first.pid} on \S+; wait for it, or give'
        ),
        locked_work_dir(work),
    ):
        raise AssertionError('both are in')
    with locked_work_dir(tmp_path / 'b'):
        pass
    first.communicate()
    with locked_work_dir(work):
        assert (work / LOCK).is_file()
    assert not (work / LOCK).exists()


def test_killed_run_does_not_block(tmp_path: Path) -> None:
    first = hold(tmp_path)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert (tmp_path / LOCK).is_file()
    with locked_work_dir(tmp_path):
        assert f'process {os.getpid()} on' in (tmp_path / LOCK).read_bytes().decode()


def test_leftovers_of_any_kind_do_not_block(tmp_path: Path) -> None:
    """Of another machine, of a process whose number is used again, or garbage: what counts is who holds the lock."""
    for text in (f'process {os.getppid()} on elsewhere', 'process 1 on here', '\udcff'):
        (tmp_path / LOCK).write_bytes(os.fsencode(text))
        with locked_work_dir(tmp_path):
            pass


def test_only_the_first_of_several_processes_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hold(tmp_path)
    monkeypatch.setenv('RANK', '1')
    with locked_work_dir(tmp_path, 'pytorch'):
        pass
    with pytest.raises(ConfigError, match='is in use by'), locked_work_dir(tmp_path):
        pass
    monkeypatch.setenv('RANK', '0')
    with pytest.raises(ConfigError, match='is in use by'), locked_work_dir(tmp_path, 'pytorch'):
        pass
    first.communicate()


def test_what_cannot_be_a_work_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'file').touch()
    for path, reason in (
        (tmp_path / 'file', 'as that is a file'),
        (tmp_path / 'file/below', r"as '.*file' is a file"),
    ):
        with pytest.raises(ConfigError, match=f'--work-dir .* cannot be a directory, {reason}'):
            check_work_dir(path)
        with pytest.raises(ConfigError, match='cannot be a directory'), locked_work_dir(path):
            pass
    monkeypatch.setattr(os, 'access', lambda *args: False)
    with pytest.raises(ConfigError, match=r'cannot be written to; give another one'):
        check_work_dir(tmp_path / 'new')
    assert not (tmp_path / 'new').exists()


@pytest.mark.parametrize(
    ('config', 'expected'),
    [
        ('configs/point_peft/pointmae_scanobjnn.py', 'work_dirs/point_peft/pointmae_scanobjnn'),
        ('/elsewhere/configs/full/x.py', 'work_dirs/full/x'),
        ('configs/point_peft/release/x.py', 'work_dirs/point_peft/release/x'),
        ('configs/full/../lora/x.py', 'work_dirs/lora/x'),
        ('my_project/classify.py', 'work_dirs/classify'),
        ('lora/recon_shapes', 'work_dirs/lora/recon_shapes'),
        ('point_peft/pointmae_mini_shapes', 'work_dirs/point_peft/pointmae_mini_shapes'),
    ],
)
def test_default(config: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_work_dir(config) == Path(expected)


def test_fresh(tmp_path: Path) -> None:
    """A run that begins has a directory without a run; one that goes on has that of the last."""
    first = tmp_path / 'run'
    assert fresh_work_dir(first) == newest_work_dir(first) == first
    first.mkdir()
    (first / 'note.txt').touch()
    assert fresh_work_dir(first) == first
    (first / 'epoch_1.pth').touch()
    assert fresh_work_dir(first) == tmp_path / 'run_2' and newest_work_dir(first) == first
    (tmp_path / 'run_2').mkdir()
    (tmp_path / 'run_2' / 'protocol.json').touch()
    assert fresh_work_dir(first) == tmp_path / 'run_3' and newest_work_dir(first) == tmp_path / 'run_2'
    assert work_dir_of_data(first, Path('some/my clouds/')) == tmp_path / 'run_my_clouds'
