"""Sizes of published heads, read from their tensors, as configs of task models.

How many parts each category has leaves no trace in a file, only the sum does: these configs are for names and shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .sizes import State, needed, numbered, widths

NUM_REFERENCE_CLASSES = 15
NUM_COORDINATES = 3

RELEASED_DIM = 384
"""Token dimension of the released Point-PEFT, which has one size only."""


def classifier(
    backbone: dict[str, Any],
    state: State | None = None,
    *,
    prefix: str = '',
    token_norm: bool = False,
    methods: Sequence[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Config of a classifier on a backbone, with the head of the file, if there is one.

    Args:
        backbone (dict): Config of the backbone.
        state (Mapping[str, Tensor] | None): Tensors of the file; None if it has no head.
        prefix (str): Where in the file the head stands.
        token_norm (bool): Whether the head has a norm for the tokens.
        methods (Sequence[dict] | None): Configs of the methods that tune the backbone; None without a wrapper.
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
    model = {'type': 'PointClassifier', 'backbone': backbone, 'head': config}
    return model if methods is None else model | {'peft': {'type': 'PEFTBackbone', 'methods': methods}}


def plain_segmentor(
    backbone: dict[str, Any],
    state: State,
    *,
    prefix: bool = False,
    methods: Sequence[dict[str, Any]] | None = None,
    kind: str = 'PlainPartSegHead',
) -> dict[str, Any]:
    """Config of a part segmentation model with a PlainPartSegHead.

    Args:
        backbone (dict): Config of the backbone.
        state (Mapping[str, Tensor]): Tensors of the file.
        prefix (bool): Whether the head takes prefix tokens, too.
        methods (Sequence[dict] | None): Configs of the methods that tune the backbone; None without a wrapper.
        kind (str): Type of the head, if it is one derived from it.
    """
    joined = needed(state, 'propagation_0.mlp_convs.0.weight').shape[1] - NUM_COORDINATES
    blocks = [0] * (joined // len(needed(state, 'norm.weight')))  # only their number shows in shapes
    head = {
        'type': kind,
        'propagation_dims': widths(state, 'propagation_0.mlp_convs.'),
        'label_dim': len(needed(state, 'label_conv.0.weight')),
        'dims': [len(needed(state, f'convs{layer}.bias')) for layer in (1, 2)],
        'prefix': prefix,
        **parts(needed(state, 'label_conv.0.weight').shape[1], len(needed(state, 'convs3.bias'))),
    }
    return segmentor({**backbone, 'decoder_layers': [blocks]}, head, methods)


def segmentor(
    backbone: dict[str, Any], head: dict[str, Any], methods: Sequence[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Config of a part segmentation model, with a wrapper if there are methods."""
    model = {'type': 'PartSegmentor', 'backbone': backbone, 'head': head}
    return model if methods is None else model | {'peft': {'type': 'PEFTBackbone', 'methods': methods}}


def parts(num_categories: int, num_parts: int) -> dict[str, Any]:
    """Any numbers of parts with the right count and sum."""
    return {'parts_per_category': [num_parts - num_categories + 1] + [1] * (num_categories - 1)}


def _embed_dim(backbone: dict[str, Any]) -> int:
    """Dimension of the tokens that the head gets."""
    return backbone['embed_dims'][-1] if 'embed_dims' in backbone else backbone.get('embed_dim', RELEASED_DIM)
