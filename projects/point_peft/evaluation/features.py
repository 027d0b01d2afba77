"""Pooled features of a frozen backbone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn

from ..heads.pooling import pool_tokens
from ..io.progress import track
from ..structures import BackboneFeatures
from .probing import LabelledFeatures

POOLS = ('max', 'mean')
"""How tokens become one vector: as the heads of Point-MAE do, but without its class token."""

BATCH_SIZE = 64
"""Clouds at a time."""


def collated(dataset: Any, description: str) -> Iterator[dict[str, Any]]:
    """All items of a dataset in its order, in batches as a data loader gives them, with a bar of progress."""
    for start in track(range(0, len(dataset), BATCH_SIZE), description):
        yield pseudo_collate(
            [dataset[index] for index in range(start, min(start + BATCH_SIZE, len(dataset)))]
        )


@torch.no_grad()
def pooled_features(
    backbone: nn.Module, dataset: Any, *, num_points: int | None = None, description: str = 'features'
) -> LabelledFeatures:
    """Features of all objects of a labelled dataset: maximum and mean over the backbone's patch tokens.

    Args:
        backbone (nn.Module): A plain backbone; is in evaluation mode meanwhile.
        dataset (Any): Items as those of :class:`~point_peft.datasets.PointCloudDataset`.
        num_points (int | None): Keep the first points of each cloud; None keeps all.
        description (str): What the progress bar says.
    """
    was_training = backbone.training
    backbone.eval()
    device = next(backbone.parameters()).device
    values: list[Tensor] = []
    labels: list[Tensor] = []
    try:
        for batch in collated(dataset, description):
            points = torch.stack([cloud[:num_points] for cloud in batch['inputs']['points']]).to(device)
            features: BackboneFeatures = backbone(points)
            values.append(pool_tokens(features, POOLS).float().cpu())
            labels.append(torch.stack([sample.gt_label for sample in batch['data_samples']]).cpu())
    finally:
        backbone.train(was_training)
    return LabelledFeatures(torch.cat(values), torch.cat(labels))
