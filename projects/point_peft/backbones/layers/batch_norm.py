"""Batch norm that counts every batch once."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ...io.errors import InvalidValueError
from .recomputation import is_recomputation


class BatchNorm1d(nn.BatchNorm1d):
    """Torch's, but activation checkpointing, which runs a part of the network twice, moves its statistics only once.

    Arguments and tensors are those of :class:`torch.nn.BatchNorm1d`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Norm (B, C) or (B, C, L) over all but the channels.

        Raises:
            ValueError: In training, if every channel has a single value.
        """
        if self.training and x.numel() == x.shape[1]:
            raise InvalidValueError(
                'a batch norm was given a batch of one object in training, whose variance is not defined; set '
                'train_dataloader.batch_size to 2 or more, and train_dataloader.drop_last=True if the last batch is '
                'smaller.'
            )
        if not (self.training and self.track_running_stats and is_recomputation()):
            return super().forward(x)
        assert self.running_mean is not None and self.running_var is not None
        # Copies take the update: as many tensors are saved for the backward as the first time, which torch checks.
        mean, var = self.running_mean.clone(), self.running_var.clone()
        return F.batch_norm(x, mean, var, self.weight, self.bias, training=True, eps=self.eps)
