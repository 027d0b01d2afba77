"""Part segmentation models that are small enough to test properties in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from small_models import SMALL_BACKBONES, clouds, fill_bank, methods_for, scramble, small_config_of
from torch import Tensor, nn

from point_peft.models import PartSegmentor
from point_peft.structures import PointDataSample

PARTS = (2, 3, 1, 2)
"""Parts of each category."""

NUM_PARTS, NUM_POINTS = 8, 64
FIRST_PART = (0, 2, 5, 6)

WAYS = ('full', 'linear_probe', 'point_peft', 'lora', 'vpt_deep')

CHANGES: dict[str, dict[str, Any]] = {
    'PointMAE': dict(class_token=False),
    'PointGPT': dict(hidden_norm=True),
    'PointM2AE': dict(stage_norms=True, new_norm=False),
}
"""What part segmentation changes in a backbone."""

HEADS: dict[str, dict[str, Any]] = {
    'plain': dict(
        type='PlainPartSegHead',
        propagation_dims=(24, 20),
        label_dim=6,
        dims=(18, 14),
    ),
    'graph': dict(type='GraphPartSegHead', level_sizes=(40, 24), hidden_dim=16),
    'hierarchical': dict(
        type='HierarchicalPartSegHead',
        propagation_dims=(24, 20),
        label_dim=6,
        dims=(18, 16, 14),
    ),
    'linear': dict(type='LinearPartSegHead'),
}

PUBLISHED = {name: 'plain' for name in SMALL_BACKBONES} | dict(PointBERT='graph', PointM2AE='hierarchical')
"""The head that is published for each backbone; that of ACT is Point-MAE's."""

PAIRS = [
    (name, head) for name in SMALL_BACKBONES for head in ('plain', 'graph', 'linear') if name != 'PointM2AE'
]
PAIRS += [('PointM2AE', 'hierarchical'), ('PointM2AE', 'linear')]
"""Every head on every backbone that it fits."""

every_pair = [f'{name}-{head}' for name, head in PAIRS]


def head_of(name: str, head: str | None = None) -> dict[str, Any]:
    """The config of a head for a backbone; None means the published one."""
    head = head or PUBLISHED[name]
    config = dict(HEADS[head], parts_per_category=PARTS)
    if (name, head) == ('ReCon', 'plain'):
        config.update(prefix=True)
    return config


def build_segmentor(
    name: str = 'PointMAE', head: str | None = None, way: str = 'full', *, fresh: bool = False, **changes: Any
) -> PartSegmentor:
    """A part segmentation model in eval mode, its memory bank filled if it has one.

    Args:
        name (str): Which backbone.
        head (str | None): Which head; None means the published one.
        way (str): Which method of :func:`small_models.methods_for`, or ``full``.
        fresh (bool): Leave everything at its own initial values.
        changes: Changes to the head.
    """
    torch.manual_seed(0)
    peft = None if way == 'full' else dict(type='PEFTBackbone', methods=list(methods_for(name)[way]))
    backbone = small_config_of(name, **CHANGES.get(name, {}))
    model = PartSegmentor(backbone, head_of(name, head) | changes, peft=peft)
    if not fresh:
        scramble(model)
        for layer in model.modules():
            if isinstance(layer, nn.GroupNorm):
                nn.init.normal_(layer.weight, mean=1.0, std=0.1)
    fill_bank(model)
    return model.eval()


def part_batch(batch: int = 8, *, seed: int = 0) -> tuple[dict[str, Tensor], list[PointDataSample]]:
    """Inputs and data samples: objects of all categories in turn, with parts of their category."""
    points = clouds(batch, NUM_POINTS, seed=seed)
    category = torch.arange(batch) % len(PARTS)
    samples = []
    for index, (cloud, label) in enumerate(zip(points, category.tolist())):
        sample = PointDataSample(metainfo=dict(sample_idx=index, source=f'toy.txt[{index}]'))
        sample.gt_part = FIRST_PART[label] + (cloud[:, 2] > 0).long() % PARTS[label]
        sample.category = sample.gt_label = category[index]
        samples.append(sample)
    return dict(points=points, category=category), samples


def part_logits(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Raw logits (B, N, num_parts), without a graph."""
    with torch.no_grad():
        return model(inputs, mode='tensor')


def allowed_parts(category: int) -> Sequence[int]:
    """Ids of a category's parts."""
    return range(FIRST_PART[category], FIRST_PART[category] + PARTS[category])
