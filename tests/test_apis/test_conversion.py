"""Published layouts and their conversion."""

from __future__ import annotations

import golden_inputs
import pytest
import torch
from torch import Tensor

from point_peft.apis.conversion import convert_checkpoint
from point_peft.engine.errors import CheckpointError
from point_peft.models import PointClassifier, PointMAEPretrain

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
    assert conversion.kind == 'Point-MAE, fine-tuned' and conversion.skipped == conversion.missed == []
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
    'state', [{}, {'conv1.weight': torch.zeros(2)}, {'h_encoder.norm.weight': torch.zeros(2)}]
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


def test_wrong_prior() -> None:
    """A prior of which nothing fits."""
    with pytest.raises(CheckpointError, match='no tensor of the file given with --prior fits'):
        convert_checkpoint(point_peft(), source='peft.pth', prior=finetuned())


@pytest.mark.parametrize('shape', [(256, 12), (12, 384), (384,), (384, 3, 4)])
def test_wrong_bank(shape: tuple[int, ...]) -> None:
    """Another dimension, transposed, or no matrix: the message has both shapes."""
    with pytest.raises(CheckpointError, match=rf'shape \({shape[0]},.*needs \(384, N\)'):
        convert_checkpoint(point_peft(), source='peft.pth', memory_bank=torch.zeros(shape))
