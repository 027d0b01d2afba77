"""Published files of Point-MAE, and of the released Point-PEFT on it."""

from __future__ import annotations

from typing import Any

from .heads import classifier, plain_segmentor
from .layout import (
    CONTRAST,
    GLOBAL_TOKENS,
    IN_CLASSIFIER,
    IN_SEGMENTOR,
    NOT_CLASSIFIER,
    NOT_SEGMENTOR,
    OTHER_BACKBONES,
    PART_DECODER,
    REDUCTION,
    Layout,
)
from .sizes import DEFAULT_GROUP_SIZE, State, count, plain

PRETRAINED = 'Point-MAE, pre-trained'
POINT_PEFT = r'blocks\.attn1\.qkv\.weight'
BLOCK = r'blocks\.blocks\.0\.norm1\.weight'


def autoencoder(state: State) -> dict[str, Any]:
    """Config of a PointMAEPretrain."""
    points = state.get('increase_dim.0.weight')
    group_size = DEFAULT_GROUP_SIZE if points is None else len(points) // 3
    return {
        'type': 'PointMAEPretrain',
        'encoder': plain(state, 'MAE_encoder.', class_token=False, group_size=group_size),
        'decoder_depth': count(state, 'MAE_decoder.blocks.'),
        'decoder_num_heads': 1,
    }


LAYOUTS = (
    Layout(
        'Point-PEFT on Point-MAE, fine-tuned',
        'configs/point_peft/release/pointmae_scanobjnn.py',
        marker=POINT_PEFT,
        renames=IN_CLASSIFIER,
        model=lambda state: classifier({'type': 'ReleasePointPEFT'}, state),
        prior=PRETRAINED,
        prior_renames=((r'^MAE_encoder\.', 'backbone.prior.'),),
    ),
    Layout(
        PRETRAINED,
        'configs/pretrain/pointmae_shapenet55.py and every init_cfg of a PointMAE',
        marker=r'MAE_encoder\.blocks\.blocks\.0\..*',
        foreign=rf'MAE_encoder\.({CONTRAST}|{GLOBAL_TOKENS})',
        model=autoencoder,
    ),
    Layout(
        'Point-MAE or ACT, fine-tuned',
        'configs/full/pointmae_{dataset}.py and configs/full/act_{dataset}.py',
        marker=BLOCK,
        foreign='|'.join((CONTRAST, GLOBAL_TOKENS, REDUCTION, POINT_PEFT, NOT_CLASSIFIER)),
        renames=IN_CLASSIFIER,
        model=lambda state: classifier(plain(state), state),
    ),
    Layout(
        'Point-MAE, part segmentation',
        'configs/full/pointmae_{dataset}.py',
        marker=BLOCK,
        needs=PART_DECODER,
        foreign=f'{OTHER_BACKBONES}|cls_token|{NOT_SEGMENTOR}',
        renames=IN_SEGMENTOR,
        model=lambda state: plain_segmentor(plain(state, class_token=False), state),
    ),
)
