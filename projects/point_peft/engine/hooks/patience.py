"""Hook that ends a training when validation has not improved for some time."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...io.errors import ConfigError
from ...registry import HOOKS
from ..runtime.protocol import EpochResult, best_epoch
from .protocol import HISTORY_KEY


@HOOKS.register_module()
class PatienceHook(Hook):
    """Stops after ``patience`` epochs without a better result on the validation split.

    What counts is the history that :class:`~.protocol.ProtocolHook` keeps in the checkpoints, so that a resumed run
    stops where one that nothing interrupted does.

    Args:
        patience (int): Epochs to wait.
        metric (str): What is to become better; greater is better.

    Raises:
        ConfigError: ``patience`` is less than 1, or the run is not validated.
    """

    priority = 'VERY_LOW'  # after the protocol

    def __init__(self, patience: int, metric: str = 'overall_accuracy') -> None:
        if patience < 1:
            raise ConfigError(f'PatienceHook patience={patience} stops at once; give at least 1.')
        self.patience = patience
        self.metric = metric

    def before_train(self, runner: Runner) -> None:
        """Refuse a run without validation; do not go on with one that was over."""
        if runner.val_loop is None:
            raise ConfigError(
                'stopping early (--patience) needs validation; leave it out, or validate the training.'
            )
        self._stop_if_due(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Compare the epoch with the best one."""
        self._stop_if_due(runner)

    def _stop_if_due(self, runner: Runner) -> None:
        """Let this epoch be the last one, if it is time."""
        history: list[dict[str, Any]] = runner.message_hub.get_info(HISTORY_KEY, [])
        best = best_epoch([EpochResult(**result) for result in history], 'val', self.metric)
        if best is None or runner.epoch - best.epoch < self.patience or runner.train_loop.stop_training:
            return
        runner.train_loop.stop_training = True
        runner.logger.info(
            f'training ends after epoch {runner.epoch}: {self.metric} on validation has not risen since epoch '
            f'{best.epoch} (patience of {self.patience} epochs)'
        )
