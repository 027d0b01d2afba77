from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger

from point_peft.engine.errors import CheckpointError
from point_peft.engine.resume import find_resumable_checkpoint


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


def test_pointer_to_another_directory_is_followed(tmp_path: Path) -> None:
    write(tmp_path / 'elsewhere', 'epoch_3.pth')
    write(tmp_path, 'epoch_2.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'elsewhere' / 'epoch_3.pth'))
    assert find_resumable_checkpoint(tmp_path) == tmp_path / 'elsewhere' / 'epoch_3.pth'
    (tmp_path / 'last_checkpoint').write_bytes(b'\xff\x00')  # damaged too
    assert find_resumable_checkpoint(tmp_path) == tmp_path / 'epoch_2.pth'


def test_all_damaged_is_an_error_rather_than_a_new_start(tmp_path: Path) -> None:
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        (tmp_path / name).write_bytes(b'')
    with pytest.raises(CheckpointError, match='no checkpoint in .* can be resumed from'):
        find_resumable_checkpoint(tmp_path)
