"""Whether methods will have the fitted states that they need for a training."""

from __future__ import annotations

from mmengine.runner import Runner

from ...registry.wrappers import unwrap
from ..fitting import check_ready
from ..hooks import FitHook


def check_fitting(runner: Runner) -> None:
    """Check that methods that cannot be trained without a fitted state will have one when they start.

    A checkpoint to start from may bring it; that is known when it is loaded only.

    Args:
        runner (Runner): A runner that is about to train.

    Raises:
        ConfigError: A method is not fitted, and nothing would do it.
    """
    if not runner._load_from and not any(isinstance(hook, FitHook) for hook in runner.hooks):
        check_ready(unwrap(runner.model))
