"""The memory bank of a released network that is trained here."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn import functional as F

from ..datasets import unrepeated
from ..evaluation.features import collated
from ..registry import HOOKS
from ..registry.wrappers import unwrap
from .base import ReleaseModel


@HOOKS.register_module()
class ReleaseBankHook(Hook):
    """Fill an empty bank with the prior's features of the training clouds, at unit length, before training.

    The release has no code that builds a bank. Its shape and its name are those of Tip-Adapter's and Point-NN's, whose
    columns have unit length, so that the dot product with a normalised query is a cosine. Checkpoints have the bank.
    """

    @torch.no_grad()
    def before_train(self, runner: Runner) -> None:
        """Fill the bank; every process does so with all clouds."""
        model: Any = unwrap(runner.model)
        backbone = model.backbone
        if not isinstance(backbone, ReleaseModel) or backbone.memory_bank.shape[1]:
            return
        dataset = unrepeated(runner.train_dataloader.dataset)
        was_training = model.training
        model.eval()
        features = []
        for batch in collated(dataset, 'memory bank'):
            data = model.data_preprocessor(batch, False)
            features.append(backbone.prior.summarize(backbone.prior.embed(data['inputs']['points'])))
        model.train(was_training)
        backbone.memory_bank = F.normalize(torch.cat(features), dim=1).T.contiguous()
