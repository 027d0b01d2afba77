"""Hook that spares evaluations what the one before has computed."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...io.errors import ConfigError
from ...methods.evaluation_cache import EvaluationCache
from ...registry import HOOKS
from ...registry.wrappers import outermost_with, unwrap


@HOOKS.register_module()
class EvaluationCacheHook(Hook):
    """Keeps the embedded groups and the prior queries of validation and test clouds from one evaluation to the next.

    Exact: they are of frozen weights alone. Full fine-tuning and methods that tune the embedding or move the points
    compute what changes. Kept during a training, on the device of the model; freed behind it.

    Args:
        max_mb (float): Room for them, in 2**20 bytes; batches that do not fit are computed each time.

    Raises:
        ConfigError: There is no such room.
    """

    def __init__(self, max_mb: float = 256) -> None:
        if max_mb <= 0:
            raise ConfigError(
                f'max_mb={max_mb} of EvaluationCacheHook is no room; give more, or default_hooks.evaluation_cache=None.'
            )
        self.max_mb = max_mb

    def before_train(self, runner: Runner) -> None:
        """Give every frozen backbone a cache."""
        for _, backbone in outermost_with(unwrap(runner.model), 'evaluation_cache'):
            backbone.evaluation_cache = EvaluationCache(self.max_mb)

    def after_train(self, runner: Runner) -> None:
        """Free it."""
        for _, backbone in outermost_with(unwrap(runner.model), 'evaluation_cache'):
            backbone.evaluation_cache = None
