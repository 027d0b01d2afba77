"""A run loses the files that it cannot write, and nothing else."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from toy_engine import make_config

from point_peft.engine.runner import SparedRunner

FULL: list[str] = []
"""Ends of the names of files that cannot be opened to write; the hook below lasts as long as the process."""


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    writes = event == 'open' and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
    if writes and FULL and str(arguments[0]).endswith(tuple(FULL)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))


@pytest.fixture(scope='module', autouse=True)
def disk() -> None:
    sys.addaudithook(refuse)


@pytest.fixture(autouse=True)
def room_afterwards() -> Iterator[None]:
    yield
    FULL.clear()


def named_config(tmp_path: Path) -> Config:
    """Config of the toy that has a file name, which the run copies."""
    path = tmp_path / 'toy.py'
    make_config(tmp_path / 'work', epochs=2).dump(path)
    return Config.fromfile(path)


@pytest.mark.parametrize('name', ['scalars.json', '.json', 'config.py', 'toy.py', '.log'])
def test_file_that_cannot_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    cfg = named_config(tmp_path)
    FULL.append(name)
    SparedRunner.from_cfg(cfg).train()
    work = tmp_path / 'work'
    assert (work / 'epoch_2.pth').exists()
    assert (work / 'last_checkpoint').exists()
    assert not [path for path in work.rglob('*') if path.name.endswith(name) and path.name != 'protocol.json']
    output = ''.join(capfd.readouterr())
    assert 'No space left on device' in output
    assert 'Traceback' not in output


def test_log_that_is_full_later(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One line on the error output, where python's logging prints a traceback for each."""
    runner = SparedRunner.from_cfg(named_config(tmp_path))
    (handler,) = [handler for handler in runner.logger.handlers if hasattr(handler, 'baseFilename')]
    with open('/dev/full', 'w') as full:
        os.dup2(full.fileno(), handler.stream.fileno())
    runner.train()
    errors = capfd.readouterr().err
    assert errors.count('.log cannot be written') == 1
    assert 'Traceback' not in errors
    assert (tmp_path / 'work' / 'epoch_2.pth').exists()
