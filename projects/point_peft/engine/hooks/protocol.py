"""Hook that reports the test set honestly."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...io.atomic import write_atomically
from ...registry import HOOKS
from ..runtime.protocol import EpochResult, format_protocol, protocol_rows
from ..runtime.randomness import preserved_rng

HISTORY_KEY = 'protocol_history'

SUMMARY_KEYS = (
    *('trainable_parameters', 'all_parameters', 'adapter_mb', 'fitted_mb', 'full_mb'),
    *('train_seconds', 'peak_memory_mb', 'other_task'),
)
"""What other hooks leave in the message hub for the summary."""


@HOOKS.register_module()
class ProtocolHook(Hook):
    """Evaluates the test set along with validation, and says at the end which number is which.

    Papers of the field report the best epoch on the test set, which selects on it. The table at the end of
    training has three rows: the last epoch, the best one on the validation split (which is what ``save_best``
    keeps) and the best one on the test set. ``<work_dir>/protocol.json`` holds the rows, the metrics of every
    epoch, the parameter counts and the sizes. The test set is never used to select anything.

    The history is part of the checkpoints; an epoch that a killed run had saved but not evaluated yet is
    evaluated first when it is resumed.

    Args:
        test_interval (int): Evaluate the test set every so many epochs, at a new best on validation and at
            the end.
        metrics (Sequence[str]): Metrics to keep, in percent; the first one decides what is best.
    """

    priority = 'LOW'  # before the checkpoint hook, so that checkpoints hold the results of their epoch

    def __init__(
        self, test_interval: int = 1, metrics: Sequence[str] = ('overall_accuracy', 'mean_class_accuracy')
    ) -> None:
        self.test_interval = test_interval
        self.metrics = tuple(metrics)
        self.history: list[EpochResult] = []
        self._resumed_epoch: int | None = None
        self._trained = False

    def before_train(self, runner: Runner) -> None:
        """Take up the history of a resumed run."""
        saved = runner.message_hub.get_info(HISTORY_KEY, [])
        self.history = [EpochResult(**result) for result in saved]
        self._resumed_epoch = runner.epoch or None
        self._trained = True
        with preserved_rng():
            _ = runner.test_loop  # builds it, so that faults in the test data show now

    def before_train_epoch(self, runner: Runner) -> None:
        """Evaluate the epoch a resumed run starts from, if the interrupted run did not come to it."""
        self._catch_up(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Evaluate the test set of a run that has no validation."""
        if runner.val_loop is None:
            self._record(runner, EpochResult(runner.epoch + 1))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep the metrics of a validation during training, and evaluate the test set."""
        if self._trained:
            self._record(runner, EpochResult(runner.epoch, val=self._select(metrics)))

    def after_train(self, runner: Runner) -> None:
        """As :meth:`before_train_epoch`, for a run that is resumed after its last epoch; test one that was stopped."""
        self._catch_up(runner)
        if runner.train_loop.stop_training and self.history and not self.history[-1].test:
            self._record(runner, self.history[-1])

    def after_run(self, runner: Runner) -> None:
        """Log the table."""
        if not self._trained or not self.history:
            return
        self._write_summary(runner)
        rows = protocol_rows(self.history, self.metrics[0])
        runner.logger.info('Accuracy in percent\n' + format_protocol(rows, self.metrics))
        self._trained = False

    def _record(self, runner: Runner, result: EpochResult) -> None:
        """Add the results of an epoch, with those on the test set where it is due."""
        if self._is_test_due(runner, result):
            result.test = self._evaluate_test(runner, result.epoch)
        self.history = [other for other in self.history if other.epoch < result.epoch]
        if result.val or result.test:
            self.history.append(result)
            runner.message_hub.update_info(HISTORY_KEY, [other.to_dict() for other in self.history])
            self._write_summary(runner)

    def _is_test_due(self, runner: Runner, result: EpochResult) -> bool:
        """Whether the test set is to be evaluated after this epoch."""
        if runner.test_loop is None:
            return False
        metric = self.metrics[0]
        earlier = [
            other.val[metric] for other in self.history if other.epoch < result.epoch and metric in other.val
        ]
        is_best = metric in result.val and result.val[metric] > max(earlier, default=float('-inf'))
        is_last = result.epoch >= runner.max_epochs or runner.train_loop.stop_training
        return is_best or is_last or result.epoch % self.test_interval == 0

    def _evaluate_test(self, runner: Runner, epoch: int) -> dict[str, float]:
        """Run the test loop without a trace in the random generators or in the runner's stage."""
        hub = runner.message_hub
        stage = hub.get_info('loop_stage')
        with preserved_rng():
            metrics = self._select(runner.test_loop.run())
        if stage is not None:
            hub.update_info('loop_stage', stage)
        runner.visualizer.add_scalars({f'test/{name}': value for name, value in metrics.items()}, step=epoch)
        return metrics

    def _catch_up(self, runner: Runner) -> None:
        """Validate the epoch that was resumed from, once, if its results are missing and were due."""
        epoch, self._resumed_epoch = self._resumed_epoch, None
        if epoch is None or runner.val_loop is None or any(result.epoch == epoch for result in self.history):
            return
        if epoch >= runner.val_begin and (epoch % runner.val_interval == 0 or epoch >= runner.max_epochs):
            runner.logger.info(f'evaluating epoch {epoch}, whose results are not in the checkpoint')
            with preserved_rng():
                runner.val_loop.run()

    def _select(self, metrics: Mapping[str, Any] | None) -> dict[str, float]:
        """The metrics to keep, as numbers; one that is NaN or infinite would be neither best nor worse."""
        numbers = {name: float(metrics[name]) for name in self.metrics if metrics and name in metrics}
        return {name: number for name, number in numbers.items() if math.isfinite(number)}

    def _write_summary(self, runner: Runner) -> None:
        """Write ``protocol.json``; a full disk costs the file, not the training."""
        if not is_main_process():
            return
        rows = protocol_rows(self.history, self.metrics[0])
        summary = dict(
            rows=[
                dict(label=label, **result.to_dict()) for label, result in rows.items() if result is not None
            ],
            history=[result.to_dict() for result in self.history],
            stopped_early=bool(runner.train_loop.stop_training),
            **{key: runner.message_hub.get_info(key) for key in SUMMARY_KEYS},
        )
        try:
            write_atomically(Path(runner.work_dir) / 'protocol.json', json.dumps(summary, indent=1).encode())
        except OSError as error:
            runner.logger.warning(f'protocol.json could not be written to {runner.work_dir} ({error})')
