"""A resumed checkpoint names files; only those of the run's own directory are touched."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from toy_engine import Scores, make_config

from point_peft.io.errors import ConfigError
from point_peft.io.weights import load_checkpoint_file

BEST = 'best_overall_accuracy_epoch_1.pth'


def train(
    work_dir: Path, epochs: int, scores: list[float], resume: Path | None = None, **changes: Any
) -> Runner:
    """Train the toy with given scores on validation, from a checkpoint if one is given."""
    cfg = make_config(work_dir, epochs=epochs, **changes)
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    if resume is not None:
        cfg.resume, cfg.load_from = True, str(resume)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(Scores(*scores))
    runner.train()
    return runner


def rewrite(path: Path, **info: Any) -> None:
    """Change what a checkpoint says about the files of its run."""
    checkpoint = load_checkpoint_file(path)
    hub = checkpoint['message_hub']
    hub['runtime_info'].update(info)
    hub['resumed_keys'].update(dict.fromkeys(info, True))
    torch.save(checkpoint, path)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob('*.pth'))


OUTSIDE: dict[str, Callable[[Path], Any]] = {
    'absolute': lambda root: str(root / 'other' / BEST),
    'by a way round': lambda root: str(root / 'work' / '..' / 'other' / BEST),
    'relative': lambda root: f'other/{BEST}',
    'through a link': lambda root: str(root / 'work' / 'link' / BEST),
    'other file of the run': lambda root: str(root / 'work' / 'memory_bank.safetensors'),
    'checkpoint of the run': lambda root: str(root / 'work' / 'epoch_1.pth'),
    'directory': lambda root: str(root / 'other'),
    'empty': lambda root: '',
    'no text': lambda root: [str(root / 'other' / BEST)],
    'zero byte': lambda root: f'{root}/other\0/best_a',
    'escape': lambda root: '\x1b[2J' + 'x' * 100_000,
}


@pytest.mark.parametrize('kind', OUTSIDE)
def test_best_checkpoint_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """It stays, whatever the checkpoint calls it, and the best of this run is found anew."""
    monkeypatch.chdir(tmp_path)
    work, other = tmp_path / 'work', tmp_path / 'other'
    train(work, 1, [5])
    (work / BEST).unlink()
    (work / 'memory_bank.safetensors').write_bytes(b'precious')
    other.mkdir()
    (other / BEST).write_bytes(b'precious')
    (work / 'link').symlink_to(other)
    rewrite(work / 'epoch_1.pth', best_ckpt=OUTSIDE[kind](tmp_path), best_score=5.0)
    train(work, 3, [3, 4], resume=work / 'epoch_1.pth')
    assert (other / BEST).read_bytes() == b'precious'
    assert (work / 'memory_bank.safetensors').read_bytes() == b'precious'
    assert names(work) == ['best_overall_accuracy_epoch_3.pth', 'epoch_2.pth', 'epoch_3.pth']
    log = max(work.rglob('*.log')).read_text()
    assert log.count('which is not of this run') == 1
    assert '\x1b' not in log


@pytest.mark.parametrize('score', [float('nan'), float('inf'), 'much', None, [1]])
def test_score_that_is_none(tmp_path: Path, score: Any) -> None:
    train(tmp_path, 1, [5])
    rewrite(tmp_path / 'epoch_1.pth', best_score=score)
    train(tmp_path, 2, [3], resume=tmp_path / 'epoch_1.pth')
    assert 'best_overall_accuracy_epoch_2.pth' in names(tmp_path)


@pytest.mark.parametrize(
    'steps', [['1/../../other/x', '../other/epoch_1'], 'abc', 7, [True, -1, 0.5], {'a': 1}, list(range(50))]
)
def test_kept_steps_that_are_none(tmp_path: Path, steps: Any) -> None:
    work, other = tmp_path / 'work', tmp_path / 'other'
    train(work, 1, [5])
    (work / 'epoch_1').mkdir()
    other.mkdir()
    for name in ('x.pth', 'epoch_1.pth'):
        (other / name).write_bytes(b'precious')
    shutil.copy(work / 'epoch_1.pth', other / 'resumed.pth')
    rewrite(other / 'resumed.pth', keep_ckpt_ids=steps)
    train(work, 2, [6], resume=other / 'resumed.pth')
    assert names(other) == ['epoch_1.pth', 'resumed.pth', 'x.pth']
    assert 'epoch_2.pth' in names(work)


@pytest.mark.parametrize('original_is_there', [True, False])
def test_copied_or_moved_work_dir(tmp_path: Path, original_is_there: bool) -> None:
    """The copy goes on with its own files; those of the original stay as they are."""
    work, copy = tmp_path / 'work', tmp_path / 'copy'
    train(work, 2, [4, 5])
    shutil.copytree(work, copy)
    before = {path: path.read_bytes() for path in work.glob('*.pth')}
    if not original_is_there:
        shutil.rmtree(work)
    train(copy, 4, [3, 6], resume=copy / 'epoch_2.pth')
    assert names(copy) == ['best_overall_accuracy_epoch_4.pth', 'epoch_3.pth', 'epoch_4.pth']
    assert {path: path.read_bytes() for path in work.glob('*.pth')} == (before if original_is_there else {})


def test_file_of_another_run_of_the_same_name(tmp_path: Path) -> None:
    """Who goes on from elsewhere does not take over what lies in the directory already."""
    train(tmp_path / 'a', 1, [5])
    train(tmp_path / 'b', 1, [5])
    before = (tmp_path / 'b' / BEST).read_bytes()
    train(tmp_path / 'b', 2, [6], resume=tmp_path / 'a' / 'epoch_1.pth')
    assert (tmp_path / 'b' / BEST).read_bytes() == before
    assert (tmp_path / 'a' / BEST).exists()


@pytest.mark.parametrize('name', ['epoch_9.pth', 'best_overall_accuracy_epoch_2.pth'])
def test_directory_with_the_name_of_a_checkpoint(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / 'precious').touch()
    with pytest.raises(ConfigError, match=rf'{name}. is a directory, but has the name of a checkpoint'):
        train(tmp_path, 1, [1])
    assert (tmp_path / name / 'precious').exists()
