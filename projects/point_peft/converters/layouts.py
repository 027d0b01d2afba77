"""How published checkpoints name their tensors, as data: one entry of ``LAYOUTS`` per kind of file."""

from __future__ import annotations

from ..backbones import PointGPT
from .layout import CONTRAST, GLOBAL_TOKENS, OTHER_METHODS, PART_DECODER, REDUCTION, Layout, Prefixes
from .layout_sizes import act, autoencoder, classifier, gpt_model, hierarchical, plain, point_bert, recon
from .part_layouts import PART_SEGMENTATION

HEAD = 'cls_head_finetune.'

IN_CLASSIFIER: Prefixes = ((HEAD, f'head.{HEAD}'), ('', 'backbone.'))
POINT_MAE_PRETRAINED, POINT_M2AE_PRETRAINED = 'Point-MAE, pre-trained', 'Point-M2AE, pre-trained'
PEFT_ON_MAE, PEFT_ON_M2AE = r'blocks\.attn1\.qkv\.weight', r'blocks\.0\.attn1\.qkv\.weight'
M2AE_PRETRAINING = r'h_encoder\.encoder_norms\.0\.weight|h_decoder\.0\..*'

PRETRAINED = (
    Layout(
        POINT_MAE_PRETRAINED,
        'configs/pretrain/pointmae_shapenet55.py and every init_cfg of a PointMAE',
        marker=r'MAE_encoder\.blocks\.blocks\.0\..*',
        foreign=rf'MAE_encoder\.({CONTRAST}|{GLOBAL_TOKENS})',
        prefixes=(('', ''),),
        model=autoencoder,
    ),
    Layout(
        'ReCon, pre-trained',
        'every init_cfg of a ReCon',
        marker=rf'MAE_encoder\.{CONTRAST}',
        prefixes=(('MAE_encoder.', 'backbone.'),),
        model=lambda state: classifier(recon(state, 'MAE_encoder.')),
        has_head=False,
    ),
    Layout(
        'ACT, pre-trained',
        'every init_cfg of an ACT',
        marker=r'ACT_encoder\.blocks\.blocks\.0\..*',
        prefixes=(('ACT_encoder.', 'backbone.'),),
        model=lambda state: classifier(act(state, 'ACT_encoder.')),
        has_head=False,
    ),
    Layout(
        'Point-BERT, pre-trained',
        'every init_cfg of a PointBERT',
        marker=r'transformer_q\.blocks\.blocks\.0\..*',
        prefixes=(('transformer_q.', 'backbone.'),),
        model=lambda state: classifier(point_bert(state, 'transformer_q.')),
        has_head=False,
    ),
    Layout(
        POINT_M2AE_PRETRAINED,
        'every init_cfg of a PointM2AE and configs/point_peft/release/pointm2ae_prior.py',
        marker=M2AE_PRETRAINING,
        foreign=PART_DECODER,
        prefixes=(('h_encoder.', 'backbone.h_encoder.'),),
        model=lambda state: classifier(hierarchical(state, pretrained=True)),
        has_head=False,
    ),
    Layout(
        'PointGPT, pre-trained',
        'configs/*/pointgpt_{size}_*.py, as init_cfg',
        marker=r'GPT_Transformer\.blocks\.sos',
        prefixes=(
            ('GPT_Transformer.generator_blocks.', 'auxiliary_head.generator_blocks.'),
            ('GPT_Transformer.', 'backbone.'),
        ),
        renames=PointGPT.checkpoint_renames,
        model=lambda state: gpt_model(state, 'GPT_Transformer.'),
        has_head=False,
    ),
)

FINETUNED = (
    Layout(
        'Point-MAE or ACT, fine-tuned',
        'configs/full/pointmae_{dataset}.py and configs/full/act_{dataset}.py',
        marker=r'blocks\.blocks\.0\.norm1\.weight',
        foreign='|'.join((CONTRAST, GLOBAL_TOKENS, REDUCTION, PEFT_ON_MAE, PART_DECODER, OTHER_METHODS)),
        prefixes=IN_CLASSIFIER,
        model=lambda state: classifier(plain(state), state),
    ),
    Layout(
        'Point-BERT, fine-tuned',
        'configs/full/pointbert_*.py',
        marker=REDUCTION,
        foreign=f'{PART_DECODER}|{OTHER_METHODS}',
        prefixes=IN_CLASSIFIER,
        model=lambda state: classifier(point_bert(state), state),
    ),
    Layout(
        'ReCon, fine-tuned',
        'configs/full/recon_{dataset}.py',
        marker=CONTRAST,
        foreign=f'{PART_DECODER}|{OTHER_METHODS}',
        prefixes=IN_CLASSIFIER,
        model=lambda state: classifier(recon(state), state),
    ),
    Layout(
        'Point-M2AE, fine-tuned',
        'configs/full/pointm2ae_{dataset}.py',
        marker=r'h_encoder\.encoder_blocks\.0\..*',
        foreign=f'{M2AE_PRETRAINING}|{PART_DECODER}|{OTHER_METHODS}',
        prefixes=IN_CLASSIFIER,
        model=lambda state: classifier(hierarchical(state, pretrained=False), state),
    ),
    Layout(
        'PointGPT, fine-tuned',
        'configs/full/pointgpt_{size}_{dataset}.py',
        marker=r'blocks\.sos',
        foreign=f'{PART_DECODER}|{OTHER_METHODS}',
        prefixes=(
            (f'blocks.{HEAD}', f'head.{HEAD}'),
            ('blocks.cls_norm.', 'head.cls_norm.'),
            ('generator_blocks.', 'auxiliary_head.generator_blocks.'),
            ('', 'backbone.'),
        ),
        renames=PointGPT.checkpoint_renames,
        model=gpt_model,
    ),
)

POINT_PEFT = (
    Layout(
        'Point-PEFT on Point-MAE, fine-tuned',
        'configs/point_peft/release/pointmae_scanobjnn.py',
        marker=PEFT_ON_MAE,
        prefixes=IN_CLASSIFIER,
        model=lambda state: classifier({'type': 'ReleasePointPEFT'}, state),
        prior=POINT_MAE_PRETRAINED,
        prior_prefixes=(('MAE_encoder.', 'backbone.prior.'),),
    ),
    Layout(
        'Point-PEFT on Point-M2AE, fine-tuned',
        'configs/point_peft/release/pointm2ae_scanobjnn.py',
        marker=PEFT_ON_M2AE,
        prefixes=IN_CLASSIFIER,
        model=lambda state: classifier({'type': 'ReleasePointPEFTM2AE'}, state),
        prior=POINT_M2AE_PRETRAINED,
        prior_prefixes=(('h_encoder.', 'backbone.prior.h_encoder.'),),
    ),
)

LAYOUTS = (*POINT_PEFT, *FINETUNED, *PART_SEGMENTATION, *PRETRAINED)
