"""Hook that keeps batch-norm statistics equal on all processes."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...registry import HOOKS
from ...registry.wrappers import unwrap

STATISTICS = ('running_mean', 'running_var')


@HOOKS.register_module()
class SyncBatchNormHook(Hook):
    """Brings the running statistics of the trained batch norms of all processes together after every epoch.

    The variance is that of all clouds: the mean of the processes' variances, and the spread between their means. Frozen
    ones (in eval mode) are not touched, so they stay bit for bit what they were; MMEngine's
    SyncBuffersHook averages every buffer, also those that methods fit before training.
    """

    priority = 'NORMAL'  # before checkpoints are saved

    def after_train_epoch(self, runner: Runner) -> None:
        """Do so, in one message, if there is more than one process."""
        norms = trained_batch_norms(unwrap(runner.model))
        if get_world_size() == 1 or not norms:
            return
        sizes = [norm.num_features for norm in norms]
        means, variances = (
            torch.cat([getattr(norm, name) for norm in norms]).double() for name in STATISTICS
        )
        moments = torch.stack([means, variances + means.square()])
        all_reduce(moments, op='mean')
        means, squares = moments
        for name, values in zip(STATISTICS, (means, squares - means.square())):
            for norm, value in zip(norms, values.split(sizes), strict=True):
                getattr(norm, name).copy_(value)


def trained_batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Batch norms that update their statistics."""
    return [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
    ]
