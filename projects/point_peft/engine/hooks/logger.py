"""Logger hook whose files a run can do without."""

from __future__ import annotations

from mmengine.hooks import LoggerHook
from mmengine.runner import Runner

from ...io.spared import spared
from ...registry import HOOKS


@HOOKS.register_module()
class SparedLoggerHook(LoggerHook):
    """MMEngine's LoggerHook, but a full disk costs its files and one warning, not the run.

    Args:
        **kwargs: Options of :class:`mmengine.hooks.LoggerHook` (``interval`` ...).
    """

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Log the results, and write them as JSON."""
        with spared('the results of the test'):
            super().after_test_epoch(runner, metrics)

    def after_run(self, runner: Runner) -> None:
        """Close the visualizer, and copy the logs where ``out_dir`` says."""
        with spared('the copy of the logs'):
            super().after_run(runner)
