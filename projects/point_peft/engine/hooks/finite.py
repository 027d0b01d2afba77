"""Hook that stops a training whose numbers are no numbers any more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook, RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor

from ...io.errors import NonFiniteError
from ...registry import HOOKS
from ...registry.wrappers import unwrap
from .finite_tensors import flag_of, masks, non_finite_tensors, on_any_process, to_host, trained_tensors
from .skipped_steps import SkippedSteps

ADVICE = 'lower the learning rate or look for what is wrong with the data'
LOWER_SCALE = "set optim_wrapper.loss_scale to a lower number or to 'dynamic', or train longer"


@dataclass
class Verdict:
    """What was found out about a step.

    Attributes:
        flag (Tensor): On the host; not zero if something may not be finite on any process.
        arrived (torch.cuda.Event | None): When the flag has arrived from the device; None if it was on the host.
        problem (str | None): What this process knows already, as the beginning of a sentence.
        place (str): Which step it was.
    """

    flag: Tensor
    arrived: torch.cuda.Event | None
    problem: str | None
    place: str


@HOOKS.register_module()
class FiniteHook(Hook):
    """Stops training at the first NaN or infinite loss, weight or batch-norm statistic.

    Looks after every step, before any other hook uses the weights, and at every state that is about to be saved,
    so that no file ever holds such a model. All processes stop in the same step.

    A GPU is not waited for. The losses are those that MMEngine has fetched for the log. What concerns the weights, and
    the other processes, is put together on the GPU and looked at in the next step, when MMEngine has fetched losses
    that were queued behind it; so training stops one step later, with the number of the step that went wrong. On a
    CPU it stops at once.

    A step that the loss scaler of mixed precision skips is normal, and stops nothing until so many in a row have been
    skipped that a changing scale has vanished, or that a fixed one is never going to fit.
    """

    priority = 'HIGH'  # behind the hook that notes the loss, before those that average or save the weights

    def __init__(self) -> None:
        self._watched: dict[str, Tensor] = {}
        self._masks: set[str] = set()
        self._verdict: Verdict | None = None
        self._losses_are_fetched = False
        self._skips: SkippedSteps | None = None

    def before_train(self, runner: Runner) -> None:
        """Look at the weights that training starts from.

        Raises:
            NonFiniteError: They are broken already.
        """
        model = unwrap(runner.model)
        self._masks = masks(model)
        broken = non_finite_tensors(model.state_dict(), self._masks)
        if broken:
            raise NonFiniteError(
                f'the weights that training would start from are not finite ({_list(broken)}); '
                f'give other ones than those of {runner._load_from or "the config"}.'
            )
        self._verdict = None
        self._losses_are_fetched = any(isinstance(hook, RuntimeInfoHook) for hook in runner.hooks)
        self._skips = SkippedSteps.of(runner.optim_wrapper)

    def before_train_epoch(self, runner: Runner) -> None:
        """Forget which tensors are trained; a hook may freeze or thaw some between epochs."""
        self._watched = {}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Look at the losses and at what the step changed.

        Raises:
            NonFiniteError: Something is NaN or infinite, on this process or another one.
        """
        self._look(runner)
        self._watched = self._watched or trained_tensors(unwrap(runner.model))
        problem = _broken_loss(self._losses(runner, outputs))
        if problem is None and self._skips is not None:
            problem = self._skips.after_step(runner.optim_wrapper)
        flag = flag_of(self._watched, problem)
        if get_world_size() > 1:
            all_reduce(flag, op='max')
        place = f'at iteration {runner.iter + 1} (epoch {runner.epoch + 1})'
        self._verdict = Verdict(*to_host(flag), problem, place)
        if self._verdict.arrived is None or (problem and get_world_size() == 1):
            self._look(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Look at the last step of the epoch.

        Raises:
            NonFiniteError: It went wrong.
        """
        self._look(runner)
        if self._skips is not None and self._skips.too_many():
            place = f'at iteration {runner.iter} (epoch {runner.epoch + 1})'
            raise NonFiniteError(
                f'{self._skips.problem} {place}, so training stops{_way_back(runner, LOWER_SCALE)}'
            )

    def before_val(self, runner: Runner) -> None:
        """Look at the last step before a validation.

        Raises:
            NonFiniteError: It went wrong.
        """
        self._look(runner)

    def after_train(self, runner: Runner) -> None:
        """Look whether anything was learned.

        Raises:
            NonFiniteError: Mixed precision skipped every single step.
        """
        if self._skips is not None and self._skips.all_were_skipped():
            raise NonFiniteError(
                f'mixed precision skipped all {self._skips.in_a_row} steps of this training, so nothing was learned: '
                f'its gradients are not finite at a loss scale of {self._skips.scale:g}; {LOWER_SCALE}.'
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at everything that is about to be saved.

        Raises:
            NonFiniteError: It holds NaN or infinite weights; nothing is written.
        """
        self._look(runner)
        broken = non_finite_tensors(checkpoint.get('state_dict') or {}, self._masks)
        if broken:
            done = (checkpoint.get('meta') or {}).get('iter', runner.iter)
            raise NonFiniteError(
                f'the model is not finite after iteration {done} ({_list(broken)}), so it is not saved and training '
                f'stops{_way_back(runner)}'
            )

    def _losses(self, runner: Runner, outputs: Any) -> dict[str, float]:
        """The losses of this step by name, from the log where they are there."""
        names = [name for name in outputs if 'loss' in name] if isinstance(outputs, Mapping) else []
        if self._losses_are_fetched:
            return {name: float(runner.message_hub.get_scalar(f'train/{name}').current()) for name in names}
        return {name: float(torch.as_tensor(outputs[name]).detach()) for name in names}

    def _look(self, runner: Runner) -> None:
        """Stop if the last step went wrong.

        Raises:
            NonFiniteError: It did.
        """
        verdict, self._verdict = self._verdict, None
        if verdict is None:
            return
        if verdict.arrived is not None:
            verdict.arrived.synchronize()
        if not verdict.flag.item():
            return
        # The sums of the flag may have overflowed, so all processes look again, and closely.
        broken = [] if verdict.problem else non_finite_tensors(self._watched)
        problem = verdict.problem or (
            f'the model is not finite any more ({_list(broken)})' if broken else None
        )
        if on_any_process(problem is not None):
            problem = problem or 'another process has a number that is not finite'
            advice = LOWER_SCALE if self._skips is not None and problem == self._skips.problem else ADVICE
            raise NonFiniteError(f'{problem} {verdict.place}, so training stops{_way_back(runner, advice)}')


def _broken_loss(losses: Mapping[str, float]) -> str | None:
    """The first loss that is not finite, as the beginning of a sentence."""
    return next((f'{name} is {value}' for name, value in losses.items() if not math.isfinite(value)), None)


def _way_back(runner: Runner, advice: str = ADVICE) -> str:
    """Where to go on from, as the end of a sentence."""
    saved = [getattr(hook, 'last_good', None) or getattr(hook, 'last_ckpt', None) for hook in runner.hooks]
    last = next((str(path) for path in saved if path), None)
    if last is None:
        return f' before any checkpoint was saved; {advice}.'
    return f'; the last good checkpoint is {last}: {advice}, and go on from it with --resume.'


def _list(names: list[str]) -> str:
    """The first names and how many more there are."""
    return ', '.join(names[:2]) + (f' and {len(names) - 2} more' if len(names) > 2 else '')
