from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from toy_engine import Scores, make_config

from point_peft.engine.hooks import AtomicCheckpointHook
from point_peft.io import backend
from point_peft.io.errors import CheckpointSaveError, ConfigError
from point_peft.io.weights import load_checkpoint_file


def checkpoints(work_dir: Path) -> list[str]:
    return sorted(path.name for path in work_dir.glob('*.pth'))


def train(
    work_dir: Path, *, epochs: int = 3, scores: tuple[float, ...] = (1, 2, 3), **changes: Any
) -> Runner:
    cfg = make_config(work_dir, epochs=epochs, **changes)
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    runner = Runner.from_cfg(cfg)
    runner.register_hook(Scores(*scores))
    runner.train()
    return runner


def test_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    train(tmp_path, epochs=4, scores=(1, 3, 2, 3), **{'default_hooks.checkpoint.max_keep_ckpts': 2})
    assert checkpoints(tmp_path) == ['best_overall_accuracy_epoch_2.pth', 'epoch_3.pth', 'epoch_4.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_4.pth')
    info = load_checkpoint_file(tmp_path / 'epoch_4.pth')['message_hub']['runtime_info']
    assert info['best_score'] == 3
    assert info['best_ckpt'] == str(tmp_path / 'best_overall_accuracy_epoch_2.pth')
    assert info['keep_ckpt_ids'] == [3, 4]
    assert not list(tmp_path.glob('.*.partial'))


@pytest.mark.parametrize('keep', [1, 2])
def test_new_files_are_complete_before_old_ones_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: int
) -> None:
    """Whenever a file gets its name or is deleted, what is there is loadable and last_checkpoint names it."""
    states: list[list[str]] = []

    def watch(function: Any) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            found = checkpoints(tmp_path)
            for name in found:
                load_checkpoint_file(tmp_path / name)
            if (tmp_path / 'last_checkpoint').exists():
                assert Path((tmp_path / 'last_checkpoint').read_text()).name in found
            states.append(found)
            return function(*args, **kwargs)

        return wrapped

    monkeypatch.setattr(os, 'replace', watch(os.replace))
    monkeypatch.setattr(os, 'remove', watch(os.remove))
    train(tmp_path, **{'default_hooks.checkpoint.max_keep_ckpts': keep})
    first_best = next(index for index, found in enumerate(states) if any('best' in name for name in found))
    assert all(any(name.startswith('epoch') for name in found) for found in states[1:])
    assert all(any('best' in name for name in found) for found in states[first_best:])
    assert len(checkpoints(tmp_path)) == keep + 1


def fail_writing(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Let the disk be full for files with ``part`` in their name."""

    write = backend.write_atomically

    def failing(path: Any, content: bytes) -> None:
        if part in Path(path).name:
            raise OSError(errno.ENOSPC, 'No space left on device')
        write(path, content)

    monkeypatch.setattr(backend, 'write_atomically', failing)


def test_full_disk_costs_a_warning_and_no_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_writing(monkeypatch, 'epoch_2')
    runner = train(tmp_path, scores=(1, 2, 1.5), **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    assert checkpoints(tmp_path) == ['best_overall_accuracy_epoch_3.pth', 'epoch_3.pth']
    assert runner.epoch == 3
    info = load_checkpoint_file(tmp_path / 'epoch_3.pth')['message_hub']['runtime_info']
    assert info['best_score'] == 1.5  # the unsaved best of epoch 2 does not count
    log = next(tmp_path.rglob('*.log')).read_text()
    assert log.count('checkpoint epoch_2.pth could not be written') == 1
    assert 'No space left on device' in log
    assert 'the last usable checkpoint is' in log


@pytest.mark.parametrize('score', [float('nan'), float('inf'), float('-inf')])
def test_score_that_is_no_number_is_never_the_best(tmp_path: Path, score: float) -> None:
    train(tmp_path, scores=(score, 1, score))
    assert 'best_overall_accuracy_epoch_2.pth' in checkpoints(tmp_path)
    info = load_checkpoint_file(tmp_path / 'epoch_3.pth')['message_hub']['runtime_info']
    assert info['best_score'] == 1
    log = next(tmp_path.rglob('*.log')).read_text()
    assert log.count(f'overall_accuracy is {score} after epoch') == 2


def test_pointer_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk at ``last_checkpoint`` costs that file; outdated checkpoints make room as ever."""
    from point_peft.engine.hooks import own_files

    write = own_files.write_atomically
    room = False

    def failing(path: Any, content: bytes) -> None:
        if not room:
            raise OSError(errno.ENOSPC, 'No space left on device')
        write(path, content)

    monkeypatch.setattr(own_files, 'write_atomically', failing)
    train(tmp_path, **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    assert checkpoints(tmp_path) == ['best_overall_accuracy_epoch_3.pth', 'epoch_3.pth']
    assert not (tmp_path / 'last_checkpoint').exists()
    assert next(tmp_path.rglob('*.log')).read_text().count('last_checkpoint could not be written') == 1

    remove = os.remove

    def make_room(path: Any) -> None:
        nonlocal room
        remove(path)
        room = True

    monkeypatch.setattr(os, 'remove', make_room)
    train(tmp_path / 'other', **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    assert (tmp_path / 'other' / 'last_checkpoint').read_text().endswith('epoch_3.pth')


def test_directory_that_is_read_only_for_deleting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Any) -> None:
        raise OSError(errno.EROFS, 'Read-only file system')

    monkeypatch.setattr(os, 'remove', refuse)
    train(tmp_path, **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    assert 'epoch_1.pth' in checkpoints(tmp_path)
    assert 'could not be deleted' in next(tmp_path.rglob('*.log')).read_text()


def test_best_file_that_cannot_be_written_again_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last file is written twice, since the best score belongs in it; the second time may fail."""

    write, count = backend.write_atomically, 0

    def failing(path: Any, content: bytes) -> None:
        nonlocal count
        count += Path(path).name == 'epoch_3.pth'
        if count == 2:
            raise OSError(errno.ENOSPC, 'No space left on device')
        write(path, content)

    monkeypatch.setattr(backend, 'write_atomically', failing)
    train(tmp_path)
    assert count == 2
    assert 'epoch_3.pth' in checkpoints(tmp_path)


def test_failure_at_the_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_writing(monkeypatch, 'epoch_3')
    with pytest.raises(CheckpointSaveError, match=r'epoch_3\.pth could not be written .* --resume auto'):
        train(tmp_path, **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    assert 'epoch_2.pth' in checkpoints(tmp_path)
    assert (tmp_path / 'last_checkpoint').read_text().endswith('epoch_2.pth')


def test_unfinished_files_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / '.epoch_9.pth.999999999.partial').write_bytes(b'half')
    train(tmp_path, epochs=1)
    assert not list(tmp_path.glob('.*.partial'))


def test_several_best_metrics(tmp_path: Path) -> None:
    train(
        tmp_path,
        scores=(2, 1, 3),
        **{'default_hooks.checkpoint.save_best': ['overall_accuracy', 'mean_class_accuracy']},
    )
    best = [name for name in checkpoints(tmp_path) if name.startswith('best')]
    assert len(best) == 2
    assert 'best_overall_accuracy_epoch_3.pth' in best


def test_best_file_has_no_optimizer_and_no_curves(tmp_path: Path) -> None:
    train(tmp_path, epochs=1, scores=(1,))
    best = load_checkpoint_file(tmp_path / 'best_overall_accuracy_epoch_1.pth')
    last = load_checkpoint_file(tmp_path / 'epoch_1.pth')
    assert 'optimizer' not in best
    assert best['message_hub']['log_scalars'] == {}
    assert 'optimizer' in last
    assert 'train/loss' in last['message_hub']['log_scalars']
    assert all(torch.equal(value, last['state_dict'][name]) for name, value in best['state_dict'].items())


def test_unknown_metric_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"save_best='accuracy' is not among .*'overall_accuracy'"):
        train(tmp_path, **{'default_hooks.checkpoint.save_best': 'accuracy'})


def test_options_are_mmengines() -> None:
    hook = AtomicCheckpointHook(interval=5, max_keep_ckpts=3, save_best='auto', rule='less')
    assert hook.interval == 5
    assert hook.backend_args == dict(backend='atomic_local')
    assert AtomicCheckpointHook(backend_args=dict(backend='local')).backend_args == dict(backend='local')
    with pytest.raises(KeyError, match='rule must be'):
        AtomicCheckpointHook(save_best='a', rule='sideways')
