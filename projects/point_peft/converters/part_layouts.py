"""How published part segmentation models name their tensors: one entry of ``PART_SEGMENTATION`` per kind of file."""

from __future__ import annotations

from ..backbones import PointGPT
from .layout import (
    CLS_HEAD,
    CONTRAST,
    GLOBAL_TOKENS,
    OTHER_METHODS,
    PART_DECODER,
    REDUCTION,
    Layout,
    Prefixes,
)
from .layout_sizes import gpt, hierarchical, plain, point_bert, recon
from .part_layout_sizes import graph_segmentor, hierarchical_segmentor, plain_segmentor, with_generator

DECODER_MODULES = ('label_conv', 'propagation', 'dgcnn_pro_', 'convs', 'conv1', 'conv2', 'bns', 'bn1')
"""How the names of a decoder's modules start; nothing in a backbone starts so."""

IN_SEGMENTOR: Prefixes = (
    *((name, f'head.{name}') for name in DECODER_MODULES),
    ('generator_blocks.', 'auxiliary_head.generator_blocks.'),
    ('', 'backbone.'),
)

CLASS_TOKEN = 'cls_token'
GPT_START, HIERARCHY = r'blocks\.sos', r'h_encoder\..*'
NOT_SEGMENTOR = f'{CLS_HEAD}|{OTHER_METHODS}'
NOT_PLAIN = '|'.join((CONTRAST, GLOBAL_TOKENS, REDUCTION, GPT_START, HIERARCHY, NOT_SEGMENTOR))

PART_SEGMENTATION = (
    Layout(
        'Point-MAE, part segmentation',
        'configs/full/pointmae_{dataset}.py',
        marker=r'blocks\.blocks\.0\.norm1\.weight',
        needs=PART_DECODER,
        foreign=f'{NOT_PLAIN}|{CLASS_TOKEN}',
        prefixes=IN_SEGMENTOR,
        model=lambda state: plain_segmentor(plain(state, class_token=False), state),
    ),
    Layout(
        'ACT, part segmentation',
        'configs/full/act_{dataset}.py',
        marker=CLASS_TOKEN,
        needs=PART_DECODER,
        foreign=NOT_PLAIN,
        prefixes=IN_SEGMENTOR,
        model=lambda state: plain_segmentor(plain(state, kind='ACT'), state),
    ),
    Layout(
        'ReCon, part segmentation',
        'configs/full/recon_{dataset}.py',
        marker=CONTRAST,
        needs=PART_DECODER,
        foreign=NOT_SEGMENTOR,
        prefixes=IN_SEGMENTOR,
        model=lambda state: plain_segmentor(recon(state), state, prefix=True),
    ),
    Layout(
        'Point-BERT, part segmentation',
        'configs/full/pointbert_{dataset}.py',
        marker=REDUCTION,
        needs=PART_DECODER,
        foreign=NOT_SEGMENTOR,
        prefixes=IN_SEGMENTOR,
        model=lambda state: graph_segmentor(point_bert(state), state),
    ),
    Layout(
        'Point-M2AE, part segmentation',
        'configs/full/pointm2ae_{dataset}.py',
        marker=HIERARCHY,
        needs=PART_DECODER,
        foreign=NOT_SEGMENTOR,
        prefixes=IN_SEGMENTOR,
        model=lambda state: hierarchical_segmentor(
            {**hierarchical(state, pretrained=True), 'new_norm': False}, state
        ),
    ),
    Layout(
        'PointGPT, part segmentation',
        'configs/full/pointgpt_{size}_{dataset}.py',
        marker=GPT_START,
        needs=PART_DECODER,
        foreign=NOT_SEGMENTOR,
        prefixes=IN_SEGMENTOR,
        renames=PointGPT.checkpoint_renames,
        model=lambda state: with_generator(plain_segmentor(gpt(state), state), state),
    ),
)
