"""The memory bank of a released network that is trained here."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.progress import track
from torch.nn import functional as F

from ..datasets import unrepeated
from ..registry import HOOKS
from ..registry.wrappers import unwrap
from .base import ReleaseModel

BATCH_SIZE = 64
"""Clouds at a time."""


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
        for start in track(range(0, len(dataset), BATCH_SIZE), description='memory bank', transient=True):
            items = [dataset[index] for index in range(start, min(start + BATCH_SIZE, len(dataset)))]
            data = model.data_preprocessor(pseudo_collate(items), False)
            features.append(backbone.prior.summarize(backbone.prior.embed(data['inputs']['points'])))
        model.train(was_training)
        backbone.memory_bank = F.normalize(torch.cat(features), dim=1).T.contiguous()
