"""Published files of ACT; fine-tuned ones cannot be told from those of Point-MAE."""

from __future__ import annotations

from .heads import classifier, plain_segmentor
from .layout import IN_SEGMENTOR, NOT_SEGMENTOR, OTHER_BACKBONES, PART_DECODER, Layout
from .sizes import plain

LAYOUTS = (
    Layout(
        'ACT, pre-trained',
        'every init_cfg of an ACT',
        marker=r'ACT_encoder\.blocks\.blocks\.0\..*',
        renames=((r'^ACT_encoder\.', 'backbone.'),),
        model=lambda state: classifier(plain(state, 'ACT_encoder.', kind='ACT')),
        has_head=False,
    ),
    Layout(
        'ACT, part segmentation',
        'configs/full/act_{dataset}.py',
        marker='cls_token',
        needs=PART_DECODER,
        foreign=f'{OTHER_BACKBONES}|{NOT_SEGMENTOR}',
        renames=IN_SEGMENTOR,
        model=lambda state: plain_segmentor(plain(state, kind='ACT'), state),
    ),
)
