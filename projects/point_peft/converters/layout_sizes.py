"""Sizes of published networks, read from their tensors, as configs that build networks with the same tensors.

Neither groups nor attention heads leave a trace in a file, so these configs are for names and shapes only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..io.errors import CheckpointError

State = Mapping[str, Tensor]

NUM_REFERENCE_CLASSES = 15
DEFAULT_GROUP_SIZE = 32
RELEASED_DIM = 384


def plain(state: State, prefix: str = '', *, kind: str = 'PointMAE', **more: Any) -> dict[str, Any]:
    """Config of a plain transformer whose tensors stand under ``prefix``."""
    return {
        'type': kind,
        'embed_dim': len(needed(state, f'{prefix}norm.weight')),
        'depth': count(state, f'{prefix}blocks.blocks.'),
        'num_heads': 1,
        'patch_dims': _patch_dims(state, f'{prefix}encoder.'),
        **more,
    }


def act(state: State, prefix: str = '') -> dict[str, Any]:
    """Config of an ACT."""
    return plain(state, prefix, kind='ACT')


def recon(state: State, prefix: str = '') -> dict[str, Any]:
    """Config of a ReCon."""
    return plain(state, prefix, kind='ReCon')


def point_bert(state: State, prefix: str = '') -> dict[str, Any]:
    """Config of a PointBERT."""
    patch_dim = needed(state, f'{prefix}reduce_dim.weight').shape[1]
    return plain(state, prefix, kind='PointBERT', patch_dim=patch_dim)


def hierarchical(state: State, *, pretrained: bool) -> dict[str, Any]:
    """Config of a PointM2AE; only pre-training closes each stage with a norm."""
    encoder = 'h_encoder.'
    stages = range(count(state, f'{encoder}encoder_blocks.'))
    return {
        'type': 'PointM2AE',
        'embed_dims': [len(needed(state, f'{encoder}encoder_pos_embeds.{stage}.0.bias')) for stage in stages],
        'depths': [count(state, f'{encoder}encoder_blocks.{stage}.blocks.') for stage in stages],
        'num_heads': 1,
        'patch_dims': _patch_dims(state, f'{encoder}token_embed.0.'),
        'stage_norms': pretrained,
    }


def gpt_model(state: State, prefix: str = '') -> dict[str, Any]:
    """Config of a classifier on a PointGPT with its generator."""
    backbone = gpt(state, prefix)
    model = classifier(backbone, state, prefix=f'{prefix}blocks.', token_norm=True)
    return {**model, 'auxiliary_head': generator(state, prefix)}


def gpt(state: State, prefix: str = '') -> dict[str, Any]:
    """Config of a PointGPT."""
    return {
        'type': 'PointGPT',
        'embed_dim': len(needed(state, f'{prefix}blocks.sos')),
        'depth': count(state, f'{prefix}blocks.layers.'),
        'num_heads': 1,
        'group_size': generated_points(state, prefix),
        'patch_dims': _patch_dims(state, f'{prefix}encoder.'),
    }


def generator(state: State, prefix: str = '') -> dict[str, Any]:
    """Config of the head that has PointGPT's generator."""
    return {
        'type': 'GenerationHead',
        'depth': count(state, f'{prefix}generator_blocks.layers.'),
        'num_heads': 1,
        'group_size': generated_points(state, prefix),
    }


def generated_points(state: State, prefix: str = '') -> int:
    """Points per group that PointGPT's generator gives."""
    coordinates = state.get(f'{prefix}generator_blocks.increase_dim.0.bias')
    return DEFAULT_GROUP_SIZE if coordinates is None else len(coordinates) // 3


def autoencoder(state: State) -> dict[str, Any]:
    """Config of a PointMAEPretrain."""
    points = state.get('increase_dim.0.weight')
    encoder = plain(
        state,
        'MAE_encoder.',
        class_token=False,
        group_size=DEFAULT_GROUP_SIZE if points is None else len(points) // 3,
    )
    return {
        'type': 'PointMAEPretrain',
        'encoder': encoder,
        'decoder_depth': count(state, 'MAE_decoder.blocks.'),
        'decoder_num_heads': 1,
    }


def classifier(
    backbone: dict[str, Any],
    state: State | None = None,
    *,
    prefix: str = '',
    token_norm: bool = False,
) -> dict[str, Any]:
    """Config of a classifier on a backbone, with the head of the file, if there is one.

    Args:
        backbone (dict): Config of the backbone.
        state (Mapping[str, Tensor] | None): Tensors of the file; None if it has no head.
        prefix (str): Where in the file the head stands.
        token_norm (bool): Whether the head has a norm for the tokens.
    """
    layers = f'{prefix}cls_head_finetune.'
    state = state or {}
    linear = [weight for weight in numbered(state, layers, 'weight') if weight.dim() == 2]
    biases = numbered(state, layers, 'bias')
    config: dict[str, Any] = {
        'type': 'PointClsHead',
        'num_classes': len(biases[-1]) if biases else NUM_REFERENCE_CLASSES,
        'token_norm': token_norm,
    }
    if linear:
        pooled = linear[0].shape[1] // _embed_dim(backbone)
        config['pool'] = ['max'] * max(1, pooled)  # only their number shows in shapes
        config['hidden_dims'] = [len(weight) for weight in linear[:-1]]
        config['batch_norm'] = bool(numbered(state, layers, 'running_mean'))
    return {'type': 'PointClassifier', 'backbone': backbone, 'head': config}


def _embed_dim(backbone: dict[str, Any]) -> int:
    """Dimension of the tokens that the head gets; the released Point-PEFT has one size only."""
    return backbone['embed_dims'][-1] if 'embed_dims' in backbone else backbone.get('embed_dim', RELEASED_DIM)


def numbered(state: State, prefix: str, part: str) -> list[Tensor]:
    """Tensors ``PREFIX<number>.PART`` in the order of their numbers."""
    found = {}
    for name, value in state.items():
        match = re.fullmatch(rf'{re.escape(prefix)}(\d+)\.{part}', name)
        if match:
            found[int(match[1])] = value
    return [found[number] for number in sorted(found)]


def _patch_dims(state: State, prefix: str) -> list[int]:
    """Widths of a PointNet that embeds groups: all but the last, which is the token dimension."""
    first = [weight for weight in numbered(state, f'{prefix}first_conv.', 'weight') if weight.dim() == 3]
    return [*(len(weight) for weight in first), len(needed(state, f'{prefix}second_conv.0.weight'))]


def count(state: State, prefix: str) -> int:
    """Number of numbered modules directly under ``prefix``."""
    return len({name[len(prefix) :].split('.')[0] for name in state if name.startswith(prefix)})


def needed(state: State, name: str) -> Tensor:
    """A tensor that the sizes are read from.

    Raises:
        CheckpointError: If it is missing.
    """
    if name not in state:
        raise CheckpointError(f'the file has no {name}, so it is incomplete; give it as published.')
    return state[name]
