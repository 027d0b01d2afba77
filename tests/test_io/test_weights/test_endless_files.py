"""Files that would take far more memory or time than they have bytes."""

from __future__ import annotations

import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from point_peft.io.errors import CheckpointError
from point_peft.io.weights import load_checkpoint_file


def archive(path: Path, *, compression: int = zipfile.ZIP_STORED, grow: int = 0) -> None:
    """A file of ``torch.save`` packed anew, with a tensor of zeros grown to ``grow`` bytes."""
    torch.save(dict(state_dict=dict(a=torch.zeros(4))), path)
    with zipfile.ZipFile(path) as source:
        entries = {info.filename: source.read(info) for info in source.infolist()}
    with zipfile.ZipFile(path, 'w', compression) as target:
        for name, content in entries.items():
            with target.open(name, 'w', force_zip64=True) as file:
                file.write(content)
                if name.endswith('data/0'):
                    for _ in range(grow // 2**20):
                        file.write(bytes(2**20))


def bomb(path: Path) -> None:
    archive(path, compression=zipfile.ZIP_DEFLATED, grow=300 * 2**20)


def repeated_tensor(path: Path) -> None:
    torch.save(dict(a=torch.zeros(1).expand(2**40)), path)


def nested_lists(path: Path) -> None:
    value: list = [torch.ones(1)]
    for _ in range(60):
        value = [value, value]
    torch.save(dict(state_dict={}, meta=dict(a=value)), path)


def circle(path: Path) -> None:
    value: list = []
    value.append(value)
    torch.save(dict(state_dict={}, meta=dict(a=value)), path)


def allocation(path: Path) -> None:
    path.write_bytes(b'\x80\x02cbuiltins\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x02\x85R.')


def no_values(path: Path) -> None:
    torch.save(dict(a=torch.ones(2**20, device='meta')), path)


def long_header(path: Path) -> None:
    with open(path, 'wb') as file:
        file.write((90 * 2**20).to_bytes(8, 'little') + b'{')
        file.truncate(100 * 2**20)


def lying_header(path: Path) -> None:
    path.write_bytes((2**63).to_bytes(8, 'little') + b'{}')


@pytest.mark.parametrize(
    ('write', 'name'),
    [
        (bomb, 'a.pth'),
        (repeated_tensor, 'a.pth'),
        (nested_lists, 'a.pth'),
        (circle, 'a.pth'),
        (allocation, 'a.pth'),
        (no_values, 'a.pth'),
        (long_header, 'a.safetensors'),
        (lying_header, 'a.safetensors'),
    ],
)
def test_endless_files(tmp_path: Path, write: Callable[[Path], None], name: str) -> None:
    """Refused by name, with less memory than they ask for."""
    write(tmp_path / name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint_file(tmp_path / name)
    assert time.process_time() - start < 2  # processor time, so that a busy machine does not matter
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 2**10  # in KB


def test_a_lying_archive(tmp_path: Path) -> None:
    """Entries that overlap would be read many times over."""
    archive(tmp_path / 'a.pth')
    content = (tmp_path / 'a.pth').read_bytes()
    (tmp_path / 'a.pth').write_bytes(
        content.replace(b'\x10\x00\x00\x00\x10\x00\x00\x00', b'\xf0\xff\xff\x7f' * 2)
    )
    with pytest.raises(CheckpointError, match=r'a\.pth'):
        load_checkpoint_file(tmp_path / 'a.pth')
