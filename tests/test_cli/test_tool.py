from __future__ import annotations

import argparse
import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.device import get_device
from mmengine.device import utils as mmengine_device
from torch.utils.data import DataLoader, Dataset

from point_peft.cli.tool import add_common_arguments, run_tool, speaks_to_user
from point_peft.engine.runtime.device import select_device
from point_peft.io.errors import ConfigError, DatasetError, DatasetNotFoundError, PointPEFTError
from point_peft.io.required import require_path
from point_peft.io.weights import load_checkpoint_file

NONE = argparse.Namespace(launcher='none')


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Give the handlers of signals back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, function in before.items():
        signal.signal(number, function)


def test_success_and_an_error_that_speaks_to_the_user(capsys: pytest.CaptureFixture) -> None:
    assert run_tool(lambda args: None, NONE) == 0
    assert run_tool(lambda args: load_checkpoint_file('none.pth'), NONE) == 1
    assert capsys.readouterr().err == 'error: checkpoint none.pth does not exist; check the path.\n'


def test_process_is_named(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: argparse.Namespace) -> None:
        raise ConfigError('wrong')

    monkeypatch.setenv('RANK', '1')
    assert run_tool(fail, NONE) == 1
    assert capsys.readouterr().err == 'error (process 1): wrong\n'


def test_bugs_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_tool(lambda args: 1 / 0, NONE)
    with pytest.raises(ValueError, match='invalid literal'):
        run_tool(lambda args: int('x'), NONE)


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals(number: int, code: int, capsys: pytest.CaptureFixture) -> None:
    closed = []

    def work(args: argparse.Namespace) -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            closed.append(True)

    assert run_tool(work, NONE) == code
    assert closed
    assert '--resume auto' in capsys.readouterr().err


def test_signal_that_a_library_turned_into_an_error() -> None:
    def work(args: argparse.Namespace) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        except:  # noqa: E722
            raise SyntaxError('something else') from None

    assert run_tool(work, NONE) == 143


def test_one_of_several_processes_dies_at_once_on_sigterm() -> None:
    run_tool(lambda args: None, argparse.Namespace(launcher='pytorch'))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_errors_that_speak_to_the_user() -> None:
    """The package's own, and the system's about a disk; no other, whoever raised it."""
    assert speaks_to_user(PointPEFTError('x'))
    with pytest.raises(DatasetNotFoundError) as missing:
        require_path(Path('/none'), dataset='D', origin='o')
    assert speaks_to_user(missing.value)
    assert speaks_to_user(OSError(errno.ENOSPC, 'No space left on device'))
    assert not speaks_to_user(OSError(errno.EIO, 'from elsewhere'))
    for other in (KeyError('key'), ValueError('x'), RuntimeError('x')):
        assert not speaks_to_user(other)


class Damaged(Dataset):
    """A dataset whose files cannot be read."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> None:
        raise DatasetError("'a.ply' is empty; write it again.")


@pytest.mark.parametrize('num_workers', [0, 1])
def test_error_in_a_process_that_loads_data(num_workers: int, capsys: pytest.CaptureFixture) -> None:
    """PyTorch puts a traceback around the sentence, which is taken off again."""
    loader = DataLoader(Damaged(), num_workers=num_workers)
    assert run_tool(lambda args: list(loader), NONE) == 1
    assert capsys.readouterr().err == "error: 'a.ply' is empty; write it again.\n"


def test_common_flags() -> None:
    parser = argparse.ArgumentParser()
    add_common_arguments(parser)
    args = parser.parse_args(['--cfg-options', 'a.b=1', 'c=[1,2]', '--local-rank=3', '--device', 'cpu'])
    assert args.cfg_options == {'a.b': '1', 'c': '[1,2]'}  # typed when they are put into a config
    assert args.local_rank == 3
    assert args.launcher == 'none'
    assert parser.parse_args([]).cfg_options == {}
    with pytest.raises(SystemExit):
        parser.parse_args(['--launcher', 'none-such'])


def test_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmengine_device, 'DEVICE', 'cuda')
    select_device('auto')
    assert get_device() == 'cuda'
    select_device('cpu')
    assert get_device() == 'cpu'
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(PointPEFTError, match='use --device cpu'):
        select_device('cuda')
