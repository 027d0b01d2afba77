"""Small files as the authors publish them: one per kind, made from small models by names written out here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from small_models import scramble
from torch import Tensor

from point_peft.registry import MODELS

State = dict[str, Tensor]

PATCH_DIMS = (4, 6, 10)
PLAIN = dict(embed_dim=12, depth=2, num_heads=1, num_groups=8, group_size=4, patch_dims=PATCH_DIMS)
SIZES = {
    'PointMAE': PLAIN,
    'ACT': PLAIN,
    'ReCon': PLAIN,
    'PointBERT': dict(PLAIN, patch_dim=7),
    'PointM2AE': dict(
        embed_dims=(6, 12, 18),
        depths=(1, 2, 3),
        num_heads=1,
        num_groups=(16, 8, 4),
        group_size=(8, 4, 4),
        patch_dims=PATCH_DIMS,
    ),
    'PointGPT': dict(PLAIN, patch_dims=(4, 5, 6, 10)),
}
HEADS: dict[str, dict[str, Any]] = {
    'PointBERT': dict(hidden_dims=(256,), batch_norm=False),
    'PointM2AE': dict(pool=('mean', 'max')),
    'PointGPT': dict(pool=('cls', 'max'), token_norm=True),
}
PART_CHANGES: dict[str, dict[str, Any]] = {
    'PointMAE': dict(class_token=False),
    'PointM2AE': dict(stage_norms=True, new_norm=False),
    'PointGPT': dict(hidden_norm=True),
}
"""What part segmentation changes in a backbone."""

PLAIN_DECODER = dict(type='PlainPartSegHead', propagation_dims=(9, 8), label_dim=5, dims=(7, 6))
PART_HEADS: dict[str, dict[str, Any]] = {
    'PointMAE': PLAIN_DECODER,
    'ACT': PLAIN_DECODER,
    'PointGPT': PLAIN_DECODER,
    'ReCon': dict(PLAIN_DECODER, prefix=True),
    'PointBERT': dict(type='GraphPartSegHead', hidden_dim=11),
    'PointM2AE': dict(
        type='HierarchicalPartSegHead',
        propagation_dims=(9, 8),
        label_dim=5,
        dims=(7, 6, 4),
    ),
}
GENERATOR = dict(type='GenerationHead', depth=3, num_heads=1, group_size=4)

GPT_NAMES = (
    (r'\.norm([12])\.', r'.ln_\1.'),
    (r'\.attn\.qkv\.', '.attn.in_proj_'),
    (r'\.attn\.proj\.', '.attn.out_proj.'),
    (r'\.mlp\.fc1\.', '.mlp.0.'),
    (r'\.mlp\.fc2\.', '.mlp.2.'),
)


def build(
    backbone: str, *, num_classes: int = 7, head: Mapping[str, Any] | None = None, **more: Any
) -> BaseModel:
    """A small classifier with weights that tell tensors apart."""
    init_default_scope('point_peft')
    config = dict(
        type='PointClsHead', num_classes=num_classes, **(HEADS.get(backbone, {}) if head is None else head)
    )
    model = MODELS.build(
        dict(
            type='PointClassifier',
            backbone=dict(type=backbone, **SIZES[backbone], **more),
            head=config,
            auxiliary_head=GENERATOR if backbone == 'PointGPT' else None,
        )
    )
    scramble(model)
    return model.eval()


def build_segmentor(backbone: str, *, parts: Sequence[int] = (2, 3, 1, 4)) -> BaseModel:
    """A small part segmentation model, the same way."""
    init_default_scope('point_peft')
    model = MODELS.build(
        dict(
            type='PartSegmentor',
            backbone=dict(type=backbone, **SIZES[backbone], **PART_CHANGES.get(backbone, {})),
            head=dict(PART_HEADS[backbone], parts_per_category=parts),
            auxiliary_head=GENERATOR if backbone == 'PointGPT' else None,
        )
    )
    scramble(model)
    return model.eval()


def finetuned(model: BaseModel) -> State:
    """The file of a fine-tuned model, classifier or part segmentation."""
    is_gpt = model.auxiliary_head is not None
    state = {}
    for name, value in model.state_dict().items():
        if is_gpt:
            name = name.replace('head.cls_', 'head.blocks.cls_')
            for pattern, replacement in GPT_NAMES:
                name = re.sub(pattern, replacement, name)
        state[re.sub(r'^(backbone|head|auxiliary_head)\.', '', name)] = value
    return state


PRETRAINED_PREFIXES = {
    'ACT': 'ACT_encoder.',
    'PointBERT': 'transformer_q.',
    'PointGPT': 'GPT_Transformer.',
    'PointM2AE': '',
    'PointMAE': 'MAE_encoder.',
    'ReCon': 'MAE_encoder.',
}

NOT_PRETRAINED = {
    'PointGPT': {'cls_token', 'cls_pos'},
    'PointM2AE': {'norm.weight', 'norm.bias'},
    'PointMAE': {'cls_token', 'cls_pos'},
}
"""Tensors that fine-tuning adds, by backbone."""

NO_USE = {
    'ACT': ('ACT_encoder.lm_head.weight', 'mask_token', 'dvae_tokenizer.encoder.first_conv.0.weight'),
    'PointBERT': (
        'transformer_q.mask_token',
        'transformer_q.lm_head.weight',
        'transformer_q.cls_head.0.weight',
        'transformer_k.norm.weight',
        'transformer_k.blocks.blocks.0.norm1.weight',
        'dvae.encoder.first_conv.0.weight',
        'queue',
    ),
    'PointGPT': (),
    'PointM2AE': ('mask_token', 'h_decoder.0.blocks.0.norm1.weight', 'decoder_norm.weight', 'rec_head.bias'),
    'PointMAE': (),
    'ReCon': ('mask_token', 'MAE_decoder.norm.weight', 'img_proj.weight', 'cls_proj.0.weight'),
}
"""Tensors of pre-training that a backbone has no use for."""


def pretrained_model(backbone: str) -> BaseModel:
    """The model whose network is in the pre-trained file."""
    return build(backbone, **(dict(stage_norms=True) if backbone == 'PointM2AE' else {}))


def pretrained(backbone: str) -> State:
    """The file of a pre-trained network; of Point-MAE the encoder alone."""
    state = finetuned(pretrained_model(backbone))
    prefix, absent = PRETRAINED_PREFIXES[backbone], NOT_PRETRAINED.get(backbone, set())
    state = {
        f'{prefix}{name}': value
        for name, value in state.items()
        if 'cls_head_finetune' not in name and 'cls_norm' not in name and name not in absent
    }
    return state | {name: torch.randn(5) for name in NO_USE[backbone]}
