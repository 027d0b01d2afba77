"""Sizes of published part segmentation models, read from their tensors.

How many parts each category has leaves no trace in a file, only the sum does: these configs are for names and shapes.
"""

from __future__ import annotations

from typing import Any

from .layout_sizes import State, count, generator, needed

NUM_COORDINATES = 3


def with_generator(model: dict[str, Any], state: State) -> dict[str, Any]:
    """Config of a part segmentation model that keeps PointGPT's generator."""
    return {**model, 'auxiliary_head': generator(state)}


def plain_segmentor(backbone: dict[str, Any], state: State, *, prefix: bool = False) -> dict[str, Any]:
    """Config of a part segmentation model with a PlainPartSegHead."""
    joined = needed(state, 'propagation_0.mlp_convs.0.weight').shape[1] - NUM_COORDINATES
    blocks = [0] * (joined // len(needed(state, 'norm.weight')))  # only their number shows in shapes
    head = {
        'type': 'PlainPartSegHead',
        'propagation_dims': _widths(state, 'propagation_0.mlp_convs.'),
        'label_dim': len(needed(state, 'label_conv.0.weight')),
        'dims': [len(needed(state, f'convs{layer}.bias')) for layer in (1, 2)],
        'prefix': prefix,
        **_parts(needed(state, 'label_conv.0.weight').shape[1], len(needed(state, 'convs3.bias'))),
    }
    return _part_segmentor({**backbone, 'decoder_layers': [blocks]}, head)


def hierarchical_segmentor(backbone: dict[str, Any], state: State) -> dict[str, Any]:
    """Config of a part segmentation model with a HierarchicalPartSegHead."""
    head = {
        'type': 'HierarchicalPartSegHead',
        'propagation_dims': _widths(state, 'propagations.0.mlp_convs.'),
        'label_dim': len(needed(state, 'label_conv.0.weight')),
        'dims': [len(needed(state, f'convs{layer}.bias')) for layer in (1, 2, 3)],
        **_parts(needed(state, 'label_conv.0.weight').shape[1], len(needed(state, 'convs4.bias'))),
    }
    return _part_segmentor(backbone, head)


def graph_segmentor(backbone: dict[str, Any], state: State) -> dict[str, Any]:
    """Config of a part segmentation model with a GraphPartSegHead."""
    embed_dim = len(needed(state, 'norm.weight'))
    first = needed(state, 'propagation_0.mlp_convs.0.weight')
    num_categories = first.shape[1] - NUM_COORDINATES - embed_dim
    head = {
        'type': 'GraphPartSegHead',
        'hidden_dim': len(needed(state, 'conv1.bias')),
        **_parts(num_categories, len(needed(state, 'conv2.bias'))),
    }
    return _part_segmentor(backbone, head)


def _part_segmentor(backbone: dict[str, Any], head: dict[str, Any]) -> dict[str, Any]:
    return {'type': 'PartSegmentor', 'backbone': backbone, 'head': head}


def _parts(num_categories: int, num_parts: int) -> dict[str, Any]:
    """Any numbers of parts with the right count and sum."""
    return {'parts_per_category': [num_parts - num_categories + 1] + [1] * (num_categories - 1)}


def _widths(state: State, prefix: str) -> list[int]:
    """Output channels of the numbered convolutions under ``prefix``."""
    return [len(needed(state, f'{prefix}{layer}.bias')) for layer in range(count(state, prefix))]
