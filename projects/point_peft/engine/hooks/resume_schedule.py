"""Hook that says what a resumed run goes on with, and takes up changed settings of the optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict, ReduceOnPlateauParamScheduler
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmengine.runner import EpochBasedTrainLoop, Runner

from ...registry import HOOKS

PROGRESS = ('last_step', '_global_step', '_last_value', 'verbose')
"""What changes in a scheduler while it runs."""

Groups = list[dict[str, Any]]

IMPLEMENTATION = ('foreach', 'fused')
"""How an optimizer computes, which is a matter of the machine and not of the training."""


@HOOKS.register_module()
class ResumeScheduleHook(Hook):
    """Lets the config decide how a resumed run goes on.

    With the settings that the checkpoint was trained with, it goes on as if it had never stopped. Where learning rate,
    schedule, number of epochs or another setting of the optimizer has been changed, MMEngine would drop the change
    without a word; here the new schedule holds, from the place in it that the training has come to, and the moments of
    the optimizer are kept. One line says which of the two it is.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Replace what the checkpoint says of settings that have been changed."""
        if (
            not runner._resume
            or 'optimizer' not in checkpoint
            or isinstance(runner.optim_wrapper, OptimWrapperDict)
        ):
            return
        meta = checkpoint.get('meta') or {}
        epoch, step = meta.get('epoch', 0), meta.get('iter', 0)
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        done, limit = (epoch, runner.max_epochs) if by_epoch else (step, runner.max_iters)
        start = f'resuming after {"epoch" if by_epoch else "iteration"} {done} of {limit}'
        if done >= limit:
            runner.logger.warning(
                f'{start}: nothing is left to train; raise train_cfg.{"max_epochs" if by_epoch else "max_iters"}'
            )
        groups: Groups = runner.optim_wrapper.state_dict()['param_groups']
        for old, new in zip(checkpoint['optimizer']['param_groups'], groups):
            old.update({key: new[key] for key in IMPLEMENTATION if key in old and key in new})
        changes = self._changes(runner, checkpoint)
        if not changes:
            runner.logger.info(f'{start} with the optimizer and the learning-rate schedule of the checkpoint')
            return
        if any(isinstance(scheduler, ReduceOnPlateauParamScheduler) for scheduler in _schedulers(runner)):
            runner.logger.warning(
                f'{start}; kept as in the checkpoint, as a schedule by plateaus cannot be moved: {", ".join(changes)}'
            )
            return
        _advance(runner, epoch if by_epoch else 0, step)
        groups = runner.optim_wrapper.state_dict()['param_groups']
        for old, new in zip(checkpoint['optimizer']['param_groups'], groups):
            old.update({key: value for key, value in new.items() if key != 'params'})
        checkpoint['param_schedulers'] = [scheduler.state_dict() for scheduler in _schedulers(runner)]
        runner.logger.info(
            f'{start} with the settings of the config, which differ from those of the checkpoint: {", ".join(changes)}'
            '; the moments of the optimizer are kept'
        )

    def _changes(self, runner: Runner, checkpoint: Mapping[str, Any]) -> list[str]:
        """What of optimizer and schedule the config has changed, as parts of a sentence."""
        old_groups: Groups = checkpoint['optimizer']['param_groups']
        groups: Groups = runner.optim_wrapper.state_dict()['param_groups']
        if [len(group['params']) for group in groups] != [len(group['params']) for group in old_groups]:
            return []  # other parameters, which torch refuses
        old_schedulers, new = checkpoint.get('param_schedulers') or [], _schedulers(runner)
        changes = _differences(old_groups[:1], groups[:1]) or _differences(old_groups, groups)
        if len(old_schedulers) != len(new):
            return [*changes, f'{len(new)} schedulers (were {len(old_schedulers)})']
        for index, (before, scheduler) in enumerate(zip(old_schedulers, new)):
            found = _differences([before], [scheduler.state_dict()], skip=(*PROGRESS, 'base_values'))
            changes += [f'param_scheduler[{index}] {change}' for change in found]
        return changes


def _differences(
    old: Sequence[Mapping], new: Sequence[Mapping], skip: Sequence[str] = ('params',)
) -> list[str]:
    """Settings that differ; of the learning rate what it was at the start, since the schedule moves it."""
    found: dict[str, None] = {}
    for before, after in zip(old, new):
        moving = {key.removeprefix('initial_') for key in {*before, *after} if key.startswith('initial_')}
        for key in after:
            if key in skip or key in moving or key not in before or before[key] == after[key]:
                continue
            found[f'{key.removeprefix("initial_")} {_short(after[key])} (was {_short(before[key])})'] = None
    return list(found)


def _short(value: Any) -> str:
    """A value as part of a sentence."""
    return f'{value:g}' if isinstance(value, float) else str(value)


def _schedulers(runner: Runner) -> list[_ParamScheduler]:
    """The schedulers of the only optimizer."""
    return list(runner.param_schedulers) if isinstance(runner.param_schedulers, list) else []


def _advance(runner: Runner, epochs: int, steps: int) -> None:
    """Move the schedulers and the learning rate to where a training with them would be, in its own order.

    Args:
        runner (Runner): A runner whose schedulers are at their start.
        epochs (int): Epochs that are done; 0 for a training that counts iterations.
        steps (int): Iterations that are done.
    """
    by_step = [scheduler for scheduler in _schedulers(runner) if not scheduler.by_epoch]
    by_epoch = [scheduler for scheduler in _schedulers(runner) if scheduler.by_epoch]
    length = len(runner.train_dataloader) if epochs else steps
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)  # the steps of the optimizer are in the checkpoint
        for _ in range(max(epochs, 1)):
            for _ in range(length):
                for scheduler in by_step:
                    scheduler.step()
            for scheduler in by_epoch if epochs else ():
                scheduler.step()
