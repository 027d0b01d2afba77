"""Published files of Point-BERT."""

from __future__ import annotations

from typing import Any

from .heads import NUM_COORDINATES, classifier, parts, segmentor
from .layout import (
    IN_CLASSIFIER,
    IN_SEGMENTOR,
    NOT_CLASSIFIER,
    NOT_SEGMENTOR,
    PART_DECODER,
    REDUCTION,
    Layout,
)
from .sizes import State, needed, plain


def backbone(state: State, prefix: str = '') -> dict[str, Any]:
    """Config of a PointBERT whose tensors stand under ``prefix``."""
    patch_dim = needed(state, f'{prefix}reduce_dim.weight').shape[1]
    return plain(state, prefix, kind='PointBERT', patch_dim=patch_dim)


def graph_segmentor(state: State) -> dict[str, Any]:
    """Config of a part segmentation model with a GraphPartSegHead."""
    embed_dim = len(needed(state, 'norm.weight'))
    first = needed(state, 'propagation_0.mlp_convs.0.weight')
    num_categories = first.shape[1] - NUM_COORDINATES - embed_dim
    head = {
        'type': 'GraphPartSegHead',
        'hidden_dim': len(needed(state, 'conv1.bias')),
        **parts(num_categories, len(needed(state, 'conv2.bias'))),
    }
    return segmentor(backbone(state), head)


LAYOUTS = (
    Layout(
        'Point-BERT, pre-trained',
        'every init_cfg of a PointBERT',
        marker=r'transformer_q\.blocks\.blocks\.0\..*',
        renames=((r'^transformer_q\.', 'backbone.'),),
        model=lambda state: classifier(backbone(state, 'transformer_q.')),
        has_head=False,
    ),
    Layout(
        'Point-BERT, fine-tuned',
        'configs/full/pointbert_*.py',
        marker=REDUCTION,
        foreign=NOT_CLASSIFIER,
        renames=IN_CLASSIFIER,
        model=lambda state: classifier(backbone(state), state),
    ),
    Layout(
        'Point-BERT, part segmentation',
        'configs/full/pointbert_{dataset}.py',
        marker=REDUCTION,
        needs=PART_DECODER,
        foreign=NOT_SEGMENTOR,
        renames=IN_SEGMENTOR,
        model=graph_segmentor,
    ),
)
