from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from point_peft.cli.arguments import at_least, check_output, device, path, seed, share
from point_peft.engine.runtime.device import check_device
from point_peft.io.errors import ConfigError, PointPEFTError


@pytest.mark.parametrize(
    ('kind', 'good', 'bad'),
    [
        (at_least(1), '3', ('0', '-1', 'x', '1.5', '', '\x1b')),
        (seed, '4294967295', ('-1', '4294967296', '1e3')),
        (share, '0.25', ('-0.1', '1.1', 'nan', 'x')),
        (device, 'cuda:1', ('gpu', 'CPU', 'cuda:', 'cuda:-1', '0', '')),
    ],
)
def test_flags(kind: Callable, good: str, bad: tuple[str, ...], capsys: pytest.CaptureFixture) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--flag', type=kind)
    assert str(parser.parse_args(['--flag', good]).flag) == good
    for text in bad:
        with pytest.raises(SystemExit):
            parser.parse_args([f'--flag={text}'])
        message = capsys.readouterr().err
        assert 'argument --flag:' in message and 'give ' in message
        assert '\x1b' not in message


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_device('cpu') == 'cpu'
    with pytest.raises(PointPEFTError, match="'gpu' is no device; give cpu, cuda, cuda:1"):
        check_device('gpu')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert check_device('auto') == 'cpu'
    with pytest.raises(PointPEFTError, match='--device cuda:1 was given, but torch sees no CUDA device'):
        check_device('cuda:1')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    assert check_device('cuda:1') == 'cuda:1'
    with pytest.raises(PointPEFTError, match='there are cuda:0 to cuda:1 only'):
        check_device('cuda:2')


def test_output_files(tmp_path: Path) -> None:
    check_output(tmp_path / 'new' / 'deep' / 'out.json', '--out')
    (tmp_path / 'file').touch()
    check_output(tmp_path / 'file', '--out')
    with pytest.raises(ConfigError, match='--out .* is a directory; give the name of a file'):
        check_output(tmp_path, '--out')
    with pytest.raises(ConfigError, match="cannot be written, as '.*file' is a file"):
        check_output(tmp_path / 'file' / 'out.json', '--out')


def test_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/me')
    assert path('~/x y') == Path('/home/me/x y')
