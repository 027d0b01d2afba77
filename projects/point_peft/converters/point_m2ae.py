"""Published files of Point-M2AE, and of the released Point-PEFT on it."""

from __future__ import annotations

from typing import Any

from .heads import classifier, parts, segmentor
from .layout import IN_CLASSIFIER, IN_SEGMENTOR, NOT_CLASSIFIER, NOT_SEGMENTOR, PART_DECODER, Layout
from .sizes import State, count, needed, patch_dims, widths

PRETRAINED = 'Point-M2AE, pre-trained'
PRETRAINING = r'h_encoder\.encoder_norms\.0\.weight|h_decoder\.0\..*'
ENCODER = 'h_encoder.'


def backbone(state: State, *, pretrained: bool) -> dict[str, Any]:
    """Config of a PointM2AE; only pre-training closes each stage with a norm."""
    stages = range(count(state, f'{ENCODER}encoder_blocks.'))
    return {
        'type': 'PointM2AE',
        'embed_dims': [len(needed(state, f'{ENCODER}encoder_pos_embeds.{stage}.0.bias')) for stage in stages],
        'depths': [count(state, f'{ENCODER}encoder_blocks.{stage}.blocks.') for stage in stages],
        'num_heads': 1,
        'patch_dims': patch_dims(state, f'{ENCODER}token_embed.0.'),
        'stage_norms': pretrained,
    }


def hierarchical_segmentor(state: State) -> dict[str, Any]:
    """Config of a part segmentation model with a HierarchicalPartSegHead."""
    head = {
        'type': 'HierarchicalPartSegHead',
        'propagation_dims': widths(state, 'propagations.0.mlp_convs.'),
        'label_dim': len(needed(state, 'label_conv.0.weight')),
        'dims': [len(needed(state, f'convs{layer}.bias')) for layer in (1, 2, 3)],
        **parts(needed(state, 'label_conv.0.weight').shape[1], len(needed(state, 'convs4.bias'))),
    }
    return segmentor({**backbone(state, pretrained=True), 'new_norm': False}, head)


LAYOUTS = (
    Layout(
        'Point-PEFT on Point-M2AE, fine-tuned',
        'configs/point_peft/release/pointm2ae_scanobjnn.py',
        marker=r'blocks\.0\.attn1\.qkv\.weight',
        renames=IN_CLASSIFIER,
        model=lambda state: classifier({'type': 'ReleasePointPEFTM2AE'}, state),
        prior=PRETRAINED,
        prior_renames=((r'^(?=h_encoder\.)', 'backbone.prior.'),),
    ),
    Layout(
        PRETRAINED,
        'every init_cfg of a PointM2AE and configs/point_peft/release/pointm2ae_prior.py',
        marker=PRETRAINING,
        foreign=PART_DECODER,
        renames=((r'^(?=h_encoder\.)', 'backbone.'),),
        model=lambda state: classifier(backbone(state, pretrained=True)),
        has_head=False,
    ),
    Layout(
        'Point-M2AE, fine-tuned',
        'configs/full/pointm2ae_{dataset}.py',
        marker=r'h_encoder\.encoder_blocks\.0\..*',
        foreign=f'{PRETRAINING}|{NOT_CLASSIFIER}',
        renames=IN_CLASSIFIER,
        model=lambda state: classifier(backbone(state, pretrained=False), state),
    ),
    Layout(
        'Point-M2AE, part segmentation',
        'configs/full/pointm2ae_{dataset}.py',
        marker=r'h_encoder\..*',
        needs=PART_DECODER,
        foreign=NOT_SEGMENTOR,
        renames=IN_SEGMENTOR,
        model=hierarchical_segmentor,
    ),
)
