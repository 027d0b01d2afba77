"""Logger hook with a bar of progress, whose files a run can do without."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import get_file_backend
from mmengine.hooks import LoggerHook
from mmengine.runner import Runner

from ...io.spared import spared
from ...registry import HOOKS
from ..runtime.bars import LoopBar, has_terminal
from ..runtime.screen import off_screen

SMOOTHED = 10
"""Iterations over which the loss beside the bar is averaged, as MMEngine's log does it."""


@HOOKS.register_module()
class SparedLoggerHook(LoggerHook):
    """MMEngine's LoggerHook, but a full disk costs its files and one warning, not the run.

    On a terminal the first process draws a bar with loss, rate and remaining time, and the lines at intervals go to the
    log file alone; elsewhere (CI, nohup, pipes) they are what is printed.

    Args:
        progress_bar (bool): Whether to draw a bar where there is a terminal.
        out_dir (str | Path | None): Where to copy the logs to at the end.
        backend_args (dict | None): Storage of ``out_dir``.
        **kwargs: Other options of :class:`mmengine.hooks.LoggerHook` (``interval`` ...).
    """

    def __init__(
        self,
        *,
        progress_bar: bool = True,
        out_dir: str | Path | None = None,
        backend_args: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if out_dir is not None:  # not by MMEngine, which would use its deprecated FileClient
            self.out_dir = out_dir
            self.file_backend = get_file_backend(out_dir, backend_args=backend_args)
        self.progress_bar = progress_bar
        self._bar = LoopBar()
        self._draws = False

    def before_run(self, runner: Runner) -> None:
        """Find out whether there is a terminal to draw on."""
        super().before_run(runner)
        self._draws = self.progress_bar and is_main_process() and has_terminal()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Show the bar of the epoch, or of all iterations where those are what is counted."""
        if not self._draws:
            return
        if runner.log_processor.by_epoch:
            epoch, total = f'epoch {runner.epoch + 1}/{runner.max_epochs}', len(runner.train_dataloader)
            self._bar.show(runner.logger, epoch, total, keep=True)
        else:
            self._bar.show(runner.logger, 'training', runner.max_iters, keep=True)

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Show the bar of the validation."""
        if self._draws:
            self._bar.show(runner.logger, 'validation', len(runner.val_dataloader))

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Show the bar of the test."""
        if self._draws:
            self._bar.show(runner.logger, 'test', len(runner.test_dataloader))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Log at intervals, and move the bar."""
        with self._beside_bar(runner):
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if self._bar.is_shown:
            losses, hub = runner.message_hub.log_scalars.get('train/loss'), runner.message_hub
            self._bar.advance(
                batch_idx + 1 if runner.log_processor.by_epoch else runner.iter + 1,
                loss=None if losses is None else float(losses.mean(SMOOTHED)),
                rest=hub.get_info('eta'),
            )

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """As in training."""
        with self._beside_bar(runner):
            super().after_val_iter(runner, batch_idx, data_batch, outputs)
        self._bar.advance(batch_idx + 1)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """As in training."""
        with self._beside_bar(runner):
            super().after_test_iter(runner, batch_idx, data_batch, outputs)
        self._bar.advance(batch_idx + 1)

    def end_bars(self, runner: Runner) -> None:
        """End the bar of a loop that was left before its end; the runner calls this when it is left itself."""
        self._bar.end()

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Log the results, and write them as JSON."""
        with spared('the results of the test'):
            super().after_test_epoch(runner, metrics)

    def after_run(self, runner: Runner) -> None:
        """Close the visualizer, and copy the logs where ``out_dir`` says."""
        with spared('the copy of the logs'):
            super().after_run(runner)

    def _beside_bar(self, runner: Runner) -> AbstractContextManager[None]:
        """Where a bar is drawn, it says what the line of the log would."""
        return off_screen(runner.logger) if self._bar.is_shown else nullcontext()
