"""Hook that keeps batch-norm statistics equal on all processes."""

from __future__ import annotations

from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...registry import HOOKS
from ...registry.wrappers import unwrap


@HOOKS.register_module()
class SyncBatchNormHook(Hook):
    """Averages the running statistics of the trained batch norms over the processes after every epoch.

    Frozen ones (in eval mode) are not touched, so they stay bit for bit what they were; MMEngine's
    SyncBuffersHook averages every buffer, also those that methods fit before training.
    """

    priority = 'NORMAL'  # before checkpoints are saved

    def after_train_epoch(self, runner: Runner) -> None:
        """Average, if there is more than one process."""
        if get_world_size() == 1:
            return
        for norm in trained_batch_norms(unwrap(runner.model)):
            all_reduce(norm.running_mean, op='mean')
            all_reduce(norm.running_var, op='mean')


def trained_batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Batch norms that update their statistics."""
    return [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
    ]
