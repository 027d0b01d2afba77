from __future__ import annotations

import argparse
import errno
import os
import signal
from collections.abc import Callable, Iterator

import pytest
import torch
from mmengine.device import get_device
from mmengine.device import utils as mmengine_device

from point_peft.cli.tool import add_common_arguments, is_mendable, run_tool
from point_peft.engine.runtime.device import select_device
from point_peft.io.errors import ConfigError, PointPEFTError
from point_peft.io.weights import load_checkpoint_file

NONE = argparse.Namespace(launcher='none')


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Give the handlers of signals back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, function in before.items():
        signal.signal(number, function)


def test_success_and_mendable_error(capsys: pytest.CaptureFixture) -> None:
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


def test_mendable() -> None:

    def catch(function: Callable) -> BaseException:
        try:
            function()
        except BaseException as error:
            return error
        raise AssertionError

    from pathlib import Path

    from point_peft.io.required import require_path

    assert is_mendable(PointPEFTError('x'))
    assert is_mendable(catch(lambda: require_path(Path('/none'), dataset='D', origin='o')))
    assert not is_mendable(catch(lambda: {}['key']))
    assert not is_mendable(RuntimeError('x'))
    assert is_mendable(OSError(errno.ENOSPC, 'No space left on device'))
    assert not is_mendable(OSError(errno.EIO, 'from elsewhere'))


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
