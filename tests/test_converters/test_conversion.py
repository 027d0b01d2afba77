"""Published layouts and their conversion."""

from __future__ import annotations

from pathlib import Path

import golden_inputs
import published
import pytest
import torch
from mmengine.registry import init_default_scope
from torch import Tensor

from point_peft.backbones import PointGPT
from point_peft.converters.conversion import convert_checkpoint
from point_peft.io.errors import CheckpointError
from point_peft.models import PointClassifier, PointMAEPretrain
from point_peft.registry import MODELS

SIZES = dict(embed_dim=64, depth=2, num_heads=1, group_size=8)
HEAD = 'cls_head_finetune.'


def pretrained() -> dict[str, Tensor]:
    """A small file as pre-training publishes it."""
    torch.manual_seed(0)
    encoder = dict(type='PointMAE', class_token=False, **SIZES)
    return dict(PointMAEPretrain(encoder, decoder_depth=1, decoder_num_heads=1).state_dict())


def finetuned(num_classes: int = 7) -> dict[str, Tensor]:
    """A small file as fine-tuning publishes it."""
    torch.manual_seed(0)
    model = PointClassifier(
        dict(type='PointMAE', **SIZES), dict(type='PointClsHead', num_classes=num_classes)
    )
    return {name.removeprefix('backbone.').removeprefix('head.'): v for name, v in model.state_dict().items()}


def point_peft() -> dict[str, Tensor]:
    """Some of the tensors of a Point-PEFT release."""
    shapes = dict(golden_inputs.description('pointpeft_mae')['state0'])
    names = ['blocks.attn1.qkv.weight', 'prompt_cor', 'blocks.blocks.0.ad_gate', 'cls_head_finetune.8.bias']
    return golden_inputs.weights((name, shapes[name]) for name in names)


def test_pretrained() -> None:
    """Names stay, sizes are read from the tensors, and everything is used."""
    state = pretrained()
    conversion = convert_checkpoint(state, source='pretrain.pth')
    assert conversion.kind == 'Point-MAE, pre-trained' and 'pretrain' in conversion.config
    assert conversion.state_dict.keys() == state.keys() and sorted(conversion.used) == sorted(state)
    assert all(conversion.state_dict[name] is value for name, value in state.items())
    assert conversion.skipped == conversion.missed == []


@pytest.mark.parametrize('num_classes', [7, 40])
def test_finetuned(num_classes: int) -> None:
    """Backbone and head get their prefixes, whatever the number of classes."""
    state = finetuned(num_classes)
    conversion = convert_checkpoint(state, source='best.pth')
    assert conversion.kind == 'Point-MAE or ACT, fine-tuned' and conversion.skipped == conversion.missed == []
    model = PointClassifier(
        dict(type='PointMAE', **SIZES), dict(type='PointClsHead', num_classes=num_classes)
    )
    model.load_state_dict(conversion.state_dict)
    assert torch.equal(model.head.cls_head_finetune[8].bias, state[f'{HEAD}8.bias'])
    assert torch.equal(model.backbone.cls_token, state['cls_token'])


def test_point_peft() -> None:
    """Goes to the release's names, with prior and bank; what is not there is missed."""
    prior = {'MAE_encoder.norm.weight': torch.ones(384), 'MAE_decoder.norm.weight': torch.ones(384)}
    bank = golden_inputs.memory_bank(12)
    conversion = convert_checkpoint(point_peft(), source='peft.pth', prior=prior, memory_bank=bank)
    assert conversion.kind == 'Point-PEFT on Point-MAE, fine-tuned' and 'release' in conversion.config
    assert sorted(conversion.used) == sorted(point_peft())
    assert set(conversion.state_dict) == {
        'backbone.blocks.attn1.qkv.weight',
        'backbone.prompt_cor',
        'backbone.blocks.blocks.0.ad_gate',
        'head.cls_head_finetune.8.bias',
        'backbone.prior.norm.weight',
        'backbone.memory_bank',
    }
    assert torch.equal(conversion.state_dict['backbone.memory_bank'], bank)
    assert conversion.skipped == ['prior: MAE_decoder.norm.weight']
    assert 'backbone.prior.norm.bias' in conversion.missed and 'backbone.norm.weight' in conversion.missed
    assert not set(conversion.missed) & set(conversion.state_dict)


def test_point_peft_on_m2ae() -> None:
    """The release of the hierarchical backbone, with the encoder of its prior and a bank of its own."""
    shapes = dict(golden_inputs.description('pointpeft_m2ae')['state0'])
    names = ['blocks.0.attn1.qkv.weight', 'prompt_cor', 'pos_embeds.1.0.bias', 'cls_head_finetune.8.bias']
    state = golden_inputs.weights((name, shapes[name]) for name in names)
    prior = {
        'h_encoder.encoder_norms.2.weight': torch.ones(384),
        'h_decoder.0.blocks.0.norm1.bias': torch.ones(384),
    }
    bank = golden_inputs.memory_bank(12)
    conversion = convert_checkpoint(state, source='peft.pth', prior=prior, memory_bank=bank)
    assert conversion.kind == 'Point-PEFT on Point-M2AE, fine-tuned'
    assert set(conversion.state_dict) == {
        'backbone.blocks.0.attn1.qkv.weight',
        'backbone.prompt_cor',
        'backbone.pos_embeds.1.0.bias',
        'head.cls_head_finetune.8.bias',
        'backbone.prior.h_encoder.encoder_norms.2.weight',
        'backbone.memory_bank',
    }
    assert conversion.skipped == ['prior: h_decoder.0.blocks.0.norm1.bias']


@pytest.mark.parametrize('backbone', published.SIZES)
def test_finetuned_backbones(backbone: str) -> None:
    """Every tensor of a file of any backbone and size comes to its place in the classifier."""
    model = published.build(backbone)
    conversion = convert_checkpoint(published.finetuned(model), source='best.pth')
    assert conversion.skipped == conversion.missed == []
    expected = model.state_dict()
    assert conversion.state_dict.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in conversion.state_dict.items())


@pytest.mark.parametrize('backbone', sorted(set(published.SIZES) - {'PointMAE'}))
def test_pretrained_backbones(backbone: str) -> None:
    """Of a pre-trained file the network is used, under ``backbone.``, and all else is reported as skipped."""
    expected = published.pretrained_model(backbone).state_dict()
    conversion = convert_checkpoint(published.pretrained(backbone), source='pretrain.pth')
    assert sorted(conversion.skipped) == sorted(published.NO_USE[backbone])
    absent = {f'backbone.{name}' for name in published.NOT_PRETRAINED.get(backbone, ())}
    assert set(conversion.missed) == absent
    wanted = {name for name in expected if not name.startswith('head.')} - absent
    assert conversion.state_dict.keys() == wanted
    assert all(torch.equal(value, expected[name]) for name, value in conversion.state_dict.items())


@pytest.mark.parametrize('is_converted', [False, True], ids=['official', 'converted'])
@pytest.mark.parametrize('backbone', published.SIZES)
def test_init_cfg(tmp_path: Path, backbone: str, is_converted: bool) -> None:
    """A backbone loads pre-trained files as they are, and converted ones."""
    state = published.pretrained(backbone)
    if is_converted:
        state = convert_checkpoint(state, source='pretrain.pth').state_dict
    torch.save({'base_model': {f'module.{name}': value for name, value in state.items()}}, tmp_path / 'a.pth')
    expected = published.pretrained_model(backbone).backbone.state_dict()
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))
    network = MODELS.build(dict(type=backbone, **published.SIZES[backbone], init_cfg=init_cfg))
    network.init_weights()
    found = network.state_dict()
    loaded = found.keys() - published.NOT_PRETRAINED.get(backbone, set())
    assert set(network.pretrained_names) == loaded
    assert all(torch.equal(found[name], expected[name]) for name in loaded)


def test_init_cfg_post_pretrained(tmp_path: Path) -> None:
    """PointGPT's second pre-training is published as a fine-tuned model; a backbone reads that, too."""
    model = published.build('PointGPT', num_classes=11)
    torch.save({'base_model': published.finetuned(model)}, tmp_path / 'a.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))
    network = MODELS.build(dict(type='PointGPT', **published.SIZES['PointGPT'], init_cfg=init_cfg))
    network.init_weights()
    expected = model.backbone.state_dict()
    assert set(network.pretrained_names) == set(expected)
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ('name', 'num_classes', 'head', 'config'),
    [
        ('PointM2AE', 15, dict(pool=('mean', 'max')), 'configs/full/pointm2ae_scanobjnn*.py'),
        ('PointM2AE', 40, dict(pool=('sum',)), 'configs/full/pointm2ae_modelnet40.py'),
        ('PointBERT', 40, dict(hidden_dims=(256,), batch_norm=False), 'configs/full/pointbert_*.py'),
        ('ReCon', 15, {}, 'configs/full/recon_scanobjnn*.py'),
        ('PointMAE', 7, {}, 'configs/full/pointmae_*.py and configs/full/act_*.py'),
    ],
)
def test_heads(name: str, num_classes: int, head: dict, config: str) -> None:
    """Width of the pooled tokens, layers and classes are read from the head's tensors."""
    model = published.build(name, num_classes=num_classes, head=head)
    conversion = convert_checkpoint(published.finetuned(model), source='best.pth')
    assert conversion.skipped == conversion.missed == [] and conversion.config == config


@pytest.mark.parametrize(('size', 'dim', 'depth'), [('b', 768, 12), ('l', 1024, 24)])
def test_large_pointgpt(size: str, dim: int, depth: int) -> None:
    """PointGPT-B and -L are told apart by their tensors."""
    init_default_scope('point_peft')
    with torch.device('meta'):
        sizes = dict(embed_dim=dim, depth=depth, num_heads=8)
        backbone = PointGPT(**sizes, patch_dims=(256, 512, 1024, 2048))
    state = {f'GPT_Transformer.{name}': value for name, value in backbone.state_dict().items()}
    conversion = convert_checkpoint(state, source='pretrain.pth')
    assert conversion.config == f'configs/*/pointgpt_{size}_*.py, as init_cfg' and conversion.skipped == []
    assert conversion.state_dict.keys() == {f'backbone.{name}' for name in backbone.state_dict()}


def test_order_of_tensors() -> None:
    """Sizes do not depend on the order of a file, as in ``.safetensors``."""
    state = published.finetuned(published.build('PointBERT'))
    conversion = convert_checkpoint(dict(sorted(state.items(), reverse=True)), source='best.safetensors')
    assert conversion.skipped == conversion.missed == []


def test_skipped_and_missed() -> None:
    """Foreign tensors and tensors of another shape are skipped, and what they should have given is missed."""
    state = finetuned()
    state['blocks.blocks.1.norm2.bias'] = torch.zeros(65)
    state['blocks.blocks.0.extra'] = torch.zeros(3)
    del state['cls_pos']
    conversion = convert_checkpoint(state, source='best.pth')
    assert sorted(conversion.skipped) == ['blocks.blocks.0.extra', 'blocks.blocks.1.norm2.bias']
    assert sorted(conversion.missed) == ['backbone.blocks.blocks.1.norm2.bias', 'backbone.cls_pos']
    assert not {'backbone.blocks.blocks.0.extra', 'backbone.cls_pos'} & set(conversion.state_dict)


@pytest.mark.parametrize(
    'state', [{}, {'conv1.weight': torch.zeros(2)}, {'dvae.encoder.weight': torch.zeros(2)}]
)
def test_unknown_layout(state: dict[str, Tensor]) -> None:
    """No known layout: the message names the file, the known ones and what the file has."""
    message = r'resnet\.pth matches no known layout \(Point-PEFT.*its tensors start with \['
    with pytest.raises(CheckpointError, match=message) as error:
        convert_checkpoint(state, source='resnet.pth')
    assert all(name in str(error.value) for name in state)


def test_nothing_fits() -> None:
    """Names that look right on tensors that do not fit: zero matches is an error."""
    state = {'blocks.attn1.qkv.weight': torch.zeros(3, 3), 'norm.weight': torch.zeros(5)}
    with pytest.raises(CheckpointError, match=r'no tensor of odd\.pth fits "Point-PEFT'):
        convert_checkpoint(state, source='odd.pth')


@pytest.mark.parametrize('make', [pretrained, finetuned])
def test_incomplete_file(make) -> None:  # noqa: ANN001
    """A truncated state that the sizes cannot be read from."""
    state = {
        name: value for name, value in make().items() if not name.endswith('norm.weight') or 'blocks' in name
    }
    with pytest.raises(CheckpointError, match=r'has no .*norm\.weight, so it is incomplete'):
        convert_checkpoint(state, source='half.pth')


@pytest.mark.parametrize('make', [pretrained, finetuned])
@pytest.mark.parametrize('extra', ['prior', 'memory_bank'])
def test_prior_for_a_plain_file(make, extra: str) -> None:  # noqa: ANN001
    """Only a Point-PEFT release has a prior and a bank."""
    given = dict(prior=pretrained(), memory_bank=golden_inputs.memory_bank(12))
    with pytest.raises(
        CheckpointError, match=r'has no prior and no memory bank; leave --prior and --memory-bank out'
    ):
        convert_checkpoint(make(), source='plain.pth', **{extra: given[extra]})


@pytest.mark.parametrize('prior', [finetuned, lambda: published.pretrained('PointM2AE')])
def test_wrong_prior(prior) -> None:  # noqa: ANN001
    """A prior of which nothing fits: the message says which file is wanted."""
    message = 'no tensor of the file given with --prior fits .*give the file "Point-MAE, pre-trained"'
    with pytest.raises(CheckpointError, match=message):
        convert_checkpoint(point_peft(), source='peft.pth', prior=prior())


@pytest.mark.parametrize('shape', [(256, 12), (12, 384), (384,), (384, 3, 4)])
def test_wrong_bank(shape: tuple[int, ...]) -> None:
    """Another dimension, transposed, or no matrix: the message has both shapes."""
    with pytest.raises(CheckpointError, match=rf'shape \({shape[0]},.*needs \(384, N\)'):
        convert_checkpoint(point_peft(), source='peft.pth', memory_bank=torch.zeros(shape))
