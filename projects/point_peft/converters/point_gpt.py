"""Published files of PointGPT."""

from __future__ import annotations

from typing import Any

from ..backbones import PointGPT
from .heads import classifier, plain_segmentor
from .layout import IN_SEGMENTOR, NOT_CLASSIFIER, NOT_SEGMENTOR, PART_DECODER, Layout
from .sizes import DEFAULT_GROUP_SIZE, State, count, needed, patch_dims

START = r'blocks\.sos'


def backbone(state: State, prefix: str = '') -> dict[str, Any]:
    """Config of a PointGPT whose tensors stand under ``prefix``."""
    return {
        'type': 'PointGPT',
        'embed_dim': len(needed(state, f'{prefix}blocks.sos')),
        'depth': count(state, f'{prefix}blocks.layers.'),
        'num_heads': 1,
        'group_size': generated_points(state, prefix),
        'patch_dims': patch_dims(state, f'{prefix}encoder.'),
    }


def with_generator(model: dict[str, Any], state: State, prefix: str = '') -> dict[str, Any]:
    """Config of a model that keeps PointGPT's generator."""
    generator = {
        'type': 'GenerationHead',
        'depth': count(state, f'{prefix}generator_blocks.layers.'),
        'num_heads': 1,
        'group_size': generated_points(state, prefix),
    }
    return {**model, 'auxiliary_head': generator}


def generated_points(state: State, prefix: str = '') -> int:
    """Points per group that the generator gives."""
    coordinates = state.get(f'{prefix}generator_blocks.increase_dim.0.bias')
    return DEFAULT_GROUP_SIZE if coordinates is None else len(coordinates) // 3


def generating_classifier(state: State, prefix: str = '') -> dict[str, Any]:
    """Config of a classifier with the generator."""
    model = classifier(backbone(state, prefix), state, prefix=f'{prefix}blocks.', token_norm=True)
    return with_generator(model, state, prefix)


LAYOUTS = (
    Layout(
        'PointGPT, pre-trained',
        'configs/*/pointgpt_{size}_*.py, as init_cfg',
        marker=r'GPT_Transformer\.blocks\.sos',
        renames=(
            (r'^GPT_Transformer\.(?=generator_blocks\.)', 'auxiliary_head.'),
            (r'^GPT_Transformer\.', 'backbone.'),
            *PointGPT.checkpoint_renames,
        ),
        model=lambda state: generating_classifier(state, 'GPT_Transformer.'),
        has_head=False,
    ),
    Layout(
        'PointGPT, fine-tuned',
        'configs/full/pointgpt_{size}_{dataset}.py',
        marker=START,
        foreign=NOT_CLASSIFIER,
        renames=(
            (r'^blocks\.(?=(cls_head_finetune|cls_norm)\.)', 'head.'),
            (r'^(?=generator_blocks\.)', 'auxiliary_head.'),
            (r'^(?!head\.|auxiliary_head\.)', 'backbone.'),
            *PointGPT.checkpoint_renames,
        ),
        model=generating_classifier,
    ),
    Layout(
        'PointGPT, part segmentation',
        'configs/full/pointgpt_{size}_{dataset}.py',
        marker=START,
        needs=PART_DECODER,
        foreign=NOT_SEGMENTOR,
        renames=(*IN_SEGMENTOR, *PointGPT.checkpoint_renames),
        model=lambda state: with_generator(plain_segmentor(backbone(state), state), state),
    ),
)
