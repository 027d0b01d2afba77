from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.logging import MMLogger
from toy_engine import make_config

from point_peft.engine.runtime.resume import checkpoint_directory, find_resumable_checkpoint
from point_peft.io.errors import CheckpointError


def write(directory: Path, *names: str) -> None:
    directory.mkdir(exist_ok=True)
    for name in names:
        torch.save(
            dict(meta={}, state_dict=dict(a=torch.ones(100)), message_hub={}, optimizer={}), directory / name
        )


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(MMLogger, 'handle', lambda self, record: lines.append(record.getMessage()))
    return lines


def test_newest_by_number(tmp_path: Path, log: list[str]) -> None:
    write(tmp_path, 'epoch_9.pth', 'epoch_10.pth', 'best_accuracy_epoch_11.pth')
    assert find_resumable_checkpoint(tmp_path) == tmp_path / 'epoch_10.pth'
    assert log == []


def test_nothing_yet(tmp_path: Path) -> None:
    assert find_resumable_checkpoint(tmp_path) is None
    assert find_resumable_checkpoint(tmp_path / 'none') is None


@pytest.mark.parametrize('cut', [100, None])
def test_damaged_file_falls_back_with_one_warning(tmp_path: Path, log: list[str], cut: int | None) -> None:
    write(tmp_path, 'epoch_1.pth', 'epoch_2.pth')
    content = (tmp_path / 'epoch_2.pth').read_bytes()
    (tmp_path / 'epoch_2.pth').write_bytes(content[:-cut] if cut else b'')
    assert find_resumable_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'
    assert len(log) == 1
    assert log[0].startswith('not resuming from epoch_2.pth')


def test_file_without_optimizer_is_passed_over(tmp_path: Path, log: list[str]) -> None:
    write(tmp_path, 'epoch_1.pth')
    torch.save(dict(meta={}, state_dict={}, message_hub={}), tmp_path / 'epoch_2.pth')
    assert find_resumable_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'
    assert 'it has no optimizer' in log[0]


def test_directory_of_the_checkpoints(tmp_path: Path, log: list[str]) -> None:
    """Where the hook saves elsewhere, that directory counts too, by the config and not by what a file says."""
    cfg = make_config(tmp_path / 'work', **{'default_hooks.checkpoint.out_dir': str(tmp_path / 'disk')})
    directory = checkpoint_directory(cfg)
    assert directory == tmp_path / 'disk' / 'work'
    directory.mkdir(parents=True)
    write(directory, 'epoch_3.pth')
    write(tmp_path / 'work', 'epoch_2.pth')
    (tmp_path / 'work' / 'last_checkpoint').write_text(str(directory / 'epoch_3.pth'))
    assert find_resumable_checkpoint(tmp_path / 'work', directory) == directory / 'epoch_3.pth'
    assert log == []
    assert checkpoint_directory(make_config(tmp_path / 'work')) == tmp_path / 'work'


OTHER_CONTENTS: dict[str, Callable[[Path], bytes]] = {
    'empty': lambda elsewhere: b'',
    'outside': lambda elsewhere: str(elsewhere / 'epoch_3.pth').encode(),
    'outside by a way round': lambda elsewhere: str(elsewhere / '../elsewhere/epoch_3.pth').encode(),
    'relative': lambda elsewhere: b'epoch_3.pth',
    'a directory': lambda elsewhere: str(elsewhere.parent / 'work').encode(),
    '100 kB': lambda elsewhere: b'x' * 100_000,
    'slashes': lambda elsewhere: b'/' * 100_000,
    'lines': lambda elsewhere: b'epoch_2.pth\n' * 1000,
    'binary': lambda elsewhere: bytes(range(256)),
    'not UTF-8': lambda elsewhere: b'\xff\xfe',
    'zero byte': lambda elsewhere: b'a\0b',
}


@pytest.mark.parametrize('content', OTHER_CONTENTS)
def test_pointer_that_lies(tmp_path: Path, log: list[str], content: str) -> None:
    """It costs one line; what it names outside is neither read nor resumed from."""
    write(tmp_path / 'elsewhere', 'epoch_3.pth')
    write(tmp_path / 'work', 'epoch_2.pth')
    pointer = tmp_path / 'work' / 'last_checkpoint'
    pointer.write_bytes(OTHER_CONTENTS[content](tmp_path / 'elsewhere'))
    assert find_resumable_checkpoint(tmp_path / 'work') == tmp_path / 'work' / 'epoch_2.pth'
    assert log == [f'{pointer} names no checkpoint of this run and is passed over; the newest file counts']


@pytest.mark.parametrize('before', ['/moved/from/work/', '../work/', ''])
def test_moved_directory(tmp_path: Path, log: list[str], before: str) -> None:
    """A pointer with the name of an own file is as good as one with its path."""
    write(tmp_path / 'work', 'epoch_2.pth')
    (tmp_path / 'work/last_checkpoint').write_text(f'{before}epoch_2.pth')
    assert find_resumable_checkpoint(tmp_path / 'work') == tmp_path / 'work/epoch_2.pth'
    assert log == []


@pytest.mark.parametrize('name', ['last_checkpoint', 'epoch_9.pth'])
@pytest.mark.parametrize('kind', ['directory', 'pipe', 'loop'])
def test_what_is_no_file(tmp_path: Path, log: list[str], name: str, kind: str) -> None:
    """Nothing waits for the writer of a pipe."""
    write(tmp_path, 'epoch_2.pth')
    path = tmp_path / name
    make: dict[str, Callable[[Path], None]] = dict(
        directory=Path.mkdir, pipe=os.mkfifo, loop=lambda path: path.symlink_to(path.name)
    )
    make[kind](path)
    assert find_resumable_checkpoint(tmp_path) == tmp_path / 'epoch_2.pth'
    if name == 'epoch_9.pth':
        assert log == [f'not resuming from epoch_9.pth: {path} is no file']


@pytest.mark.parametrize(
    ('key', 'value', 'problem'),
    [
        ('meta', [1], 'has [1] (list) as meta, which should be a dict'),
        ('message_hub', 3, 'has 3 (int) as message_hub, which should be a dict'),
        ('meta', dict(epoch='9', iter=1), "has '9' (str) as meta.epoch, which should be a whole number"),
        ('meta', dict(epoch=9, iter=-1), 'has -1 (int) as meta.iter, which should be a whole number'),
        ('state_dict', dict(a=torch.tensor([1.0, float('nan')])), 'its a holds NaN'),
    ],
)
def test_content_that_cannot_be_gone_on_from(
    tmp_path: Path, log: list[str], key: str, value: Any, problem: str
) -> None:
    write(tmp_path, 'epoch_1.pth', 'epoch_2.pth')
    content = dict(meta={}, state_dict=dict(a=torch.ones(2)), message_hub={}, optimizer={})
    torch.save({**content, key: value}, tmp_path / 'epoch_2.pth')
    assert find_resumable_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'
    (line,) = log
    assert line.startswith('not resuming from epoch_2.pth: ') and problem in line


def test_all_damaged_is_an_error_rather_than_a_new_start(tmp_path: Path) -> None:
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        (tmp_path / name).write_bytes(b'')
    with pytest.raises(CheckpointError, match='no checkpoint in .* can be resumed from'):
        find_resumable_checkpoint(tmp_path)
