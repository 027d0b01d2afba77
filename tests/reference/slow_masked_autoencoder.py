"""The pre-training loss of Point-MAE, one cloud and one group at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from point_peft.models import PointMAEPretrain


def chamfer(a: Tensor, b: Tensor) -> Tensor:
    """Squared Chamfer distance of two groups (K, 3)."""
    distance = ((a[:, None] - b[None]) ** 2).sum(dim=-1)
    return distance.min(dim=1)[0].mean() + distance.min(dim=0)[0].mean()


def loss(model: PointMAEPretrain, points: Tensor, mask: Tensor) -> Tensor:
    """Boolean indexing as in the published code: visible groups in order, then masked ones in order."""
    encoder = model.MAE_encoder
    tokens = encoder.embed(points)
    distances = []
    for sample, hidden in enumerate(mask):
        features, centers = tokens.features[sample], tokens.centers[sample]
        x = features[~hidden].unsqueeze(0)
        pos = encoder.pos_embed(centers[~hidden]).unsqueeze(0)
        for block in encoder.layers:
            x = block(x + pos)
        x = encoder.norm(x)
        pos = model.decoder_pos_embed(torch.cat([centers[~hidden], centers[hidden]])).unsqueeze(0)
        x = torch.cat([x] + [model.mask_token] * int(hidden.sum()), dim=1)
        for block in model.MAE_decoder.blocks:
            x = block(x + pos)
        rows = model.MAE_decoder.norm(x[0, int((~hidden).sum()) :])
        weight, bias = model.increase_dim[0].weight[:, :, 0], model.increase_dim[0].bias
        for row, target in zip(rows, tokens.neighborhoods[sample][hidden]):
            distances.append(chamfer((weight @ row + bias).view(-1, 3), target))
    return torch.stack(distances).mean()
