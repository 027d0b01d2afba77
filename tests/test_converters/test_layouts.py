"""Every published layout is recognised, and none is taken for another."""

from __future__ import annotations

import golden_inputs
import published
import pytest
import torch
from torch import Tensor

from point_peft.converters.conversion import convert_checkpoint
from point_peft.converters.layouts import LAYOUTS
from point_peft.io.errors import CheckpointError
from point_peft.models import PointMAEPretrain

MAE_PRETRAINED, M2AE_PRETRAINED = 'Point-MAE, pre-trained', 'Point-M2AE, pre-trained'
COPIES = 'backbone.pretrained_'
"""Second places of parameters that are trained in place."""

M2AE_NORM = ['backbone.norm.bias', 'backbone.norm.weight']

GOLDEN = {
    ('pointmae_cls', 'state0'): ('Point-MAE or ACT, fine-tuned', 'act_scanobjnn*.py', 0, []),
    ('pointmae_cls_modelnet', 'state0'): ('Point-MAE or ACT, fine-tuned', 'act_modelnet40.py', 0, []),
    ('pointmae_prior_eval', 'state0'): (MAE_PRETRAINED, 'PointMAE', 0, []),
    ('pointmae_pretrain_loss', 'state0'): (MAE_PRETRAINED, 'PointMAE', 0, []),
    ('pointbert_cls', 'state0'): ('Point-BERT, fine-tuned', 'pointbert_*.py', 0, []),
    ('pointm2ae_cls', 'state0'): ('Point-M2AE, fine-tuned', 'pointm2ae_scanobjnn*.py', 0, []),
    ('pointm2ae_cls_modelnet', 'state0'): ('Point-M2AE, fine-tuned', 'pointm2ae_modelnet40.py', 0, []),
    ('pointm2ae_prior_eval', 'state0'): (M2AE_PRETRAINED, 'pointm2ae_prior.py', 56, M2AE_NORM),
    ('recon_cls', 'state0'): ('ReCon, fine-tuned', 'recon_scanobjnn*.py', 0, []),
    ('pointgpt_s_cls', 'state0'): ('PointGPT, fine-tuned', 'pointgpt_s_scanobjnn*.py', 0, []),
    ('pointmae_partseg', 'state0'): ('Point-MAE, part segmentation', 'pointmae_shapenetpart.py', 0, []),
    ('pointbert_partseg', 'state0'): ('Point-BERT, part segmentation', 'pointbert_shapenetpart.py', 0, []),
    ('pointm2ae_partseg', 'state0'): ('Point-M2AE, part segmentation', 'pointm2ae_shapenetpart.py', 0, []),
    ('recon_partseg', 'state0'): ('ReCon, part segmentation', 'recon_shapenetpart.py', 0, []),
    ('pointgpt_s_partseg', 'state0'): ('PointGPT, part segmentation', 'pointgpt_s_shapenetpart.py', 0, []),
    ('gaprompt_cls', 'state0'): ('GAPrompt on Point-MAE, fine-tuned', 'pointmae_scanobjnn.py', 24, []),
    ('pointlora_cls', 'state0'): ('PointLoRA on Point-MAE, fine-tuned', 'pointmae_scanobjnn*.py', 0, []),
    ('dapt_cls', 'state0'): ('DAPT on Point-MAE, fine-tuned', 'dapt/release/pointmae_scanobjnn.py', 0, []),
    ('idpt_cls', 'state0'): ('IDPT on Point-MAE, fine-tuned', 'idpt/pointmae_scanobjnn*.py', 20, []),
    ('idpt_partseg', 'state0'): ('IDPT on Point-MAE, part segmentation', 'pointmae_shapenetpart.py', 15, []),
    ('ppt_cls', 'state0'): ('PPT on Point-MAE, fine-tuned', 'ppt/release/pointmae_scanobjnn.py', 0, []),
    ('ppt_partseg', 'state0'): ('PPT on Point-MAE, part segmentation', 'pointmae_shapenetpart.py', 0, []),
    ('pointpeft_mae', 'state0'): ('Point-PEFT on Point-MAE, fine-tuned', 'pointmae_scanobjnn.py', 0, None),
    ('pointpeft_mae', 'state1'): (MAE_PRETRAINED, 'PointMAE', 0, []),
    ('pointpeft_m2ae', 'state0'): ('Point-PEFT on Point-M2AE, fine-tuned', 'pointm2ae_scanobjnn.py', 0, None),
    ('pointpeft_m2ae', 'state1'): (M2AE_PRETRAINED, 'pointm2ae_prior.py', 56, M2AE_NORM),
}
"""Published models of full size: kind, end of the config's name, how many tensors are of no use, and which are missing;
None means those of prior and bank."""

SMALL = {
    'ACT': ('ACT, pre-trained', 'Point-MAE or ACT, fine-tuned', 'ACT, part segmentation'),
    'PointBERT': ('Point-BERT, pre-trained', 'Point-BERT, fine-tuned', 'Point-BERT, part segmentation'),
    'PointGPT': ('PointGPT, pre-trained', 'PointGPT, fine-tuned', 'PointGPT, part segmentation'),
    'PointM2AE': (M2AE_PRETRAINED, 'Point-M2AE, fine-tuned', 'Point-M2AE, part segmentation'),
    'PointMAE': (MAE_PRETRAINED, 'Point-MAE or ACT, fine-tuned', 'Point-MAE, part segmentation'),
    'ReCon': ('ReCon, pre-trained', 'ReCon, fine-tuned', 'ReCon, part segmentation'),
}


def kinds_of(state: dict[str, Tensor]) -> list[str]:
    """All kinds that a file is taken for."""
    return [layout.kind for layout in LAYOUTS if layout.fits(state)]


def test_matrix_is_complete() -> None:
    """Every golden model is in the matrix, and every kind is met in one of the two tables."""
    keys = {file.stem for file in golden_inputs.FOLDER.glob('*.json')}
    models = {(key, s) for key in keys for s in ('state0', 'state1') if s in golden_inputs.description(key)}
    assert models == set(GOLDEN)
    met = {kind for kind, *_ in GOLDEN.values()} | {kind for kinds in SMALL.values() for kind in kinds}
    assert met == {layout.kind for layout in LAYOUTS}


@pytest.mark.parametrize(('key', 'part'), GOLDEN)
def test_golden(key: str, part: str) -> None:
    """Exactly one kind, and every tensor of use arrives under a name of its own; no weights are needed for that."""
    kind, config, num_skipped, missed = GOLDEN[key, part]
    shapes = golden_inputs.description(key)[part]
    state = {name: torch.empty(shape, device='meta') for name, shape in shapes}
    assert kinds_of(state) == [kind]
    conversion = convert_checkpoint(state, source='best.pth')
    assert conversion.kind == kind and conversion.naming == 'official' and conversion.config.endswith(config)
    assert len(conversion.skipped) == num_skipped
    of_file = [name for name in conversion.state_dict if not name.startswith(COPIES)]
    assert len(of_file) == len(conversion.used) == len(state) - num_skipped
    if missed is not None:
        assert sorted(conversion.missed) == missed
    else:
        outside = [name for name in conversion.missed if not name.startswith('backbone.prior.')]
        assert outside == ['backbone.memory_bank'] and len(conversion.missed) > 150


@pytest.mark.parametrize('backbone', SMALL)
def test_small_files(backbone: str) -> None:
    """Pre-trained and fine-tuned files of any size have exactly one kind."""
    pretrained, finetuned, segmenting = SMALL[backbone]
    assert kinds_of(published.pretrained(backbone)) == [pretrained]
    assert kinds_of(published.finetuned(published.build(backbone))) == [finetuned]
    assert kinds_of(published.finetuned(published.build_segmentor(backbone))) == [segmenting]


@pytest.mark.parametrize('backbone', SMALL)
def test_mixed_files(backbone: str) -> None:
    """A file with the tensors of two kinds is refused, whatever the second is."""
    state = published.pretrained(backbone)
    other = 'ACT' if backbone == 'PointBERT' else 'PointBERT'
    with pytest.raises(CheckpointError, match=rf'several kinds \(.*{SMALL[other][0]}'):
        convert_checkpoint(state | published.pretrained(other), source='two.pth')


@pytest.mark.parametrize(
    'extra',
    [
        'label_conv.0.weight',
        'propagation_0.mlp_convs.0.weight',
        'propagations.1.mlp_bns.0.bias',
        'blocks.blocks.0.Adapter_MLP.down_proj.weight',
        'blocks.blocks.0.attn.tfts_gamma_1',
        'blocks.blocks.3.attn.qkv.lora_A',
        'blocks.prompt_mlp.0.weight',
        'blocks.cls.bn1.weight',
    ],
)
@pytest.mark.parametrize('backbone', ['PointMAE', 'ReCon', 'PointM2AE', 'PointBERT', 'PointGPT'])
def test_other_tasks_and_methods(backbone: str, extra: str) -> None:
    """Part segmentation and tuned networks on a backbone are not taken for its classifier."""
    state = published.finetuned(published.build(backbone)) | {extra: torch.zeros(1)}
    with pytest.raises(CheckpointError, match='matches no known layout'):
        convert_checkpoint(state, source='other.pth')


@pytest.mark.parametrize(
    'extra',
    [
        'cls_head_finetune.0.weight',
        'blocks.cls_head_finetune.0.weight',
        'prompt_cls_pos',
        'blocks.prompt_all_mlp.0.weight',
        'blocks.blocks.0.Adapter_MLP.down_proj.weight',
    ],
)
@pytest.mark.parametrize('backbone', SMALL)
def test_tuned_part_segmentation(backbone: str, extra: str) -> None:
    """Nor are classifiers and tuned networks taken for a part segmentation that was trained in full."""
    state = published.finetuned(published.build_segmentor(backbone)) | {extra: torch.zeros(1)}
    assert kinds_of(state) == []


def test_recon_is_not_point_mae() -> None:
    """Both pre-training files stand under ``MAE_encoder.``."""
    encoder = dict(type='PointMAE', class_token=False, **published.PLAIN)
    mae = dict(PointMAEPretrain(encoder, decoder_depth=1, decoder_num_heads=1).state_dict())
    assert kinds_of(mae) == [MAE_PRETRAINED]
    assert kinds_of(mae | {'MAE_encoder.img_token': torch.zeros(1, 1, 12)}) == []
    assert kinds_of(published.pretrained('ReCon')) == ['ReCon, pre-trained']
