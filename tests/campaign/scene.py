"""The training that all accidents happen to, and how its result is compared."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from point_peft.io.weights import load_checkpoint_file

from .children import ROOT, Child

EPOCHS = 3

CONFIG = f"""
_base_ = '{ROOT}/configs/point_peft/pointmae_mini_shapes.py'
data_preprocessor = dict(num_points=96)
train_dataloader = dict(batch_size=8, dataset=dict(num_samples=16, num_points=128))
val_dataloader = dict(batch_size=16, dataset=dict(num_samples=16, num_points=128))
test_dataloader = dict(batch_size=16, dataset=dict(num_samples=16, num_points=128))
train_cfg = dict(max_epochs={EPOCHS})
default_hooks = dict(logger=dict(interval=1))
"""

TRAIN = 'tools/train.py'


class Scene:
    """A directory with a config, and the result of a training that nothing happened to.

    Args:
        directory (Path): The directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / 'tiny.py'
        self.reference = directory / 'reference'

    def prepare(self) -> float:
        """Train without accidents, twice; the seconds that the second time takes."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config.write_text(CONFIG)
        for work_dir in (self.reference, self.directory / 'again'):
            begin = time.monotonic()
            child = self.train(work_dir)
            assert child.wait() == 0, child.tail()
        self.check_result(self.directory / 'again')
        return time.monotonic() - begin

    def train(
        self,
        work_dir: Path,
        *arguments: Any,
        output: Path | None = None,
        before: Callable[[], None] | None = None,
    ) -> Child:
        """Start the training."""
        output = output or work_dir.with_suffix('.txt')
        return Child(output, TRAIN, self.config, '--work-dir', work_dir, *arguments, before=before)

    def resume(self, work_dir: Path, *arguments: Any) -> Child:
        """Go on, to the end."""
        child = self.train(work_dir, '--resume', 'auto', *arguments)
        assert child.wait() == 0, f'resuming ended with {child.code}: {child.tail()}'
        return child

    def check_weights(self, work_dir: Path) -> None:
        """Compare the last checkpoint, with its optimizer and schedule."""
        name = f'epoch_{EPOCHS}.pth'
        ours, theirs = (load_checkpoint_file(path / name) for path in (work_dir, self.reference))
        for key in ('state_dict', 'optimizer', 'param_schedulers'):
            assert equal(ours.get(key), theirs.get(key)), f'{name}: {key} differs'

    def check_result(self, work_dir: Path) -> None:
        """Compare, bit for bit, with the training that nothing happened to."""
        self.check_weights(work_dir)
        ours, theirs = (load_checkpoint_file(best(path)) for path in (work_dir, self.reference))
        assert equal(ours['state_dict'], theirs['state_dict']), 'the best model differs'
        assert best(work_dir).name == best(self.reference).name, 'another best epoch'
        ours, theirs = (
            json.loads((path / 'protocol.json').read_text())['history'] for path in (work_dir, self.reference)
        )
        assert ours == theirs, 'another history'
        # The order of the metadata in a file of safetensors is not always the same, so its bytes are not either.
        ours, theirs = (
            load_checkpoint_file(path / 'memory_bank.safetensors') for path in (work_dir, self.reference)
        )
        assert equal(ours['state_dict'], theirs['state_dict']), 'another memory bank'
        check_usable(work_dir)
        assert not list(work_dir.glob('.*.partial')), 'litter'


def check_usable(work_dir: Path) -> None:
    """Every checkpoint that has its name can be read and is finite."""
    for path in work_dir.glob('*.pth'):
        state = load_checkpoint_file(path)['state_dict']
        assert all(bool(value.isfinite().all()) for value in state.values()), f'{path.name} is not finite'


def best(work_dir: Path) -> Path:
    """The best checkpoint, of which there is one."""
    (path,) = work_dir.glob('best_*.pth')
    return path


def equal(ours: Any, theirs: Any) -> bool:
    """Whether two plain structures with tensors are the same."""
    if isinstance(ours, Tensor):
        return isinstance(theirs, Tensor) and ours.dtype == theirs.dtype and torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return (
            isinstance(theirs, dict)
            and list(ours) == list(theirs)
            and all(equal(ours[k], theirs[k]) for k in ours)
        )
    if isinstance(ours, (list, tuple)):
        return len(ours) == len(theirs) and all(map(equal, ours, theirs))
    return ours == theirs


def one_sentence(child: Child, *, contains: str = '') -> None:
    """A tool that refuses says why in one sentence."""
    lines = child.output.strip().splitlines()
    errors = [line for line in lines if line.startswith('error')]
    assert child.code == 1, f'exit code {child.code}: {child.tail()}'
    assert 'Traceback' not in child.output, child.tail()
    assert len(errors) == 1, f'{len(errors)} errors: {child.tail()}'
    assert contains in errors[0], errors[0]
