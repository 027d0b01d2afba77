"""Published files of ReCon."""

from __future__ import annotations

from .heads import classifier, plain_segmentor
from .layout import CONTRAST, IN_CLASSIFIER, IN_SEGMENTOR, NOT_CLASSIFIER, NOT_SEGMENTOR, PART_DECODER, Layout
from .sizes import plain

LAYOUTS = (
    Layout(
        'ReCon, pre-trained',
        'every init_cfg of a ReCon',
        marker=rf'MAE_encoder\.{CONTRAST}',
        renames=((r'^MAE_encoder\.', 'backbone.'),),
        model=lambda state: classifier(plain(state, 'MAE_encoder.', kind='ReCon')),
        has_head=False,
    ),
    Layout(
        'ReCon, fine-tuned',
        'configs/full/recon_{dataset}.py',
        marker=CONTRAST,
        foreign=NOT_CLASSIFIER,
        renames=IN_CLASSIFIER,
        model=lambda state: classifier(plain(state, kind='ReCon'), state),
    ),
    Layout(
        'ReCon, part segmentation',
        'configs/full/recon_{dataset}.py',
        marker=CONTRAST,
        needs=PART_DECODER,
        foreign=NOT_SEGMENTOR,
        renames=IN_SEGMENTOR,
        model=lambda state: plain_segmentor(plain(state, kind='ReCon'), state, prefix=True),
    ),
)
