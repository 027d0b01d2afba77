"""Hook that makes a resumed run repeat an uninterrupted one."""

from __future__ import annotations

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner, set_random_seed

from ...registry import HOOKS
from ..runtime.randomness import derive_seed


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds python, numpy and torch at the start of every epoch, by seed, epoch and process.

    Random numbers of an epoch then depend on nothing that came before, so a run that is resumed at an epoch
    gives the same losses and weights as one that was never stopped, and processes augment differently.
    """

    priority = 'LOWEST'  # the last before the data loader starts

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed everything."""
        set_random_seed(
            derive_seed(runner.seed, runner.epoch, get_rank()), deterministic=runner.deterministic
        )
