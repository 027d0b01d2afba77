"""The naming of the torch-pointcloud collection.

The names on the left are those of the classes ``PointMAEClassification``, ``PointMAEPretraining``, ``PointBERT...``,
``PointM2AE...`` and ``PointGPT...`` of torch-pointcloud 0.0.18, written down from its source.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import published
import pytest
import torch
from mmengine.registry import init_default_scope
from safetensors.torch import save_file
from small_models import scramble
from torch import Tensor, nn

from point_peft.converters.conversion import convert_checkpoint
from point_peft.converters.torch_pointcloud import is_collection
from point_peft.io.errors import CheckpointError
from point_peft.io.weights import load_checkpoint_file
from point_peft.io.weights.names import unwrap_state_dict
from point_peft.models import PointMAEPretrain

Pairs = Iterator[tuple[str, str]]

DEPTH = 2


def stacks(theirs: str, ours: str, *positions: str) -> Pairs:
    """Linear layers of an MLP without norms."""
    for index, position in enumerate(positions):
        yield f'{theirs}.lins.{index}', f'{ours}{position}'


def patch_embed(theirs: str, ours: str, *, num_first: int = 2) -> Pairs:
    """The PointNet of a patch embedding; ``num_first`` convolutions in its first stage."""
    yield from stacks(f'{theirs}.local_mlp', f'{ours}.first_conv.', *('0', '3', '6')[:num_first])
    for index, position in zip(range(num_first - 1), ('1', '4')):
        yield f'{theirs}.local_mlp.norms.{index}.module', f'{ours}.first_conv.{position}'
    yield from stacks(f'{theirs}.global_mlp', f'{ours}.second_conv.', '0', '3')
    yield f'{theirs}.global_mlp.norms.0.module', f'{ours}.second_conv.1'


def block(theirs: str, ours: str) -> Pairs:
    """A transformer block."""
    for name in ('norm1', 'attn.qkv', 'attn.proj', 'norm2'):
        yield f'{theirs}.{name}', f'{ours}.{name}'
    yield from stacks(f'{theirs}.mlp', f'{ours}.mlp.', 'fc1', 'fc2')


def blocks(theirs: str, ours: str, *, depth: int = DEPTH) -> Pairs:
    """All blocks."""
    for index in range(depth):
        yield from block(f'{theirs}.{index}', f'{ours}.{index}')


def head() -> Pairs:
    """The classification head with batch norms."""
    yield from stacks('head', 'head.cls_head_finetune.', '0', '4', '8')
    yield 'head.norms.0.module', 'head.cls_head_finetune.1'
    yield 'head.norms.1.module', 'head.cls_head_finetune.5'


def point_mae() -> Pairs:
    """``PointMAEClassification``."""
    yield from (
        ('cls_token', 'backbone.cls_token'),
        ('cls_pos', 'backbone.cls_pos'),
        ('norm_f', 'backbone.norm'),
    )
    yield from patch_embed('encoder', 'backbone.encoder')
    yield from stacks('pos_embed', 'backbone.pos_embed.', '0', '2')
    yield from blocks('blocks.blocks', 'backbone.blocks.blocks')
    yield from head()


def point_mae_pretraining() -> Pairs:
    """``PointMAEPretraining``."""
    yield from (('mask_token', 'mask_token'), ('MAE_encoder.norm', 'MAE_encoder.norm'))
    yield from patch_embed('MAE_encoder.encoder', 'MAE_encoder.encoder')
    yield from stacks('MAE_encoder.pos_embed', 'MAE_encoder.pos_embed.', '0', '2')
    yield from blocks('MAE_encoder.blocks.blocks', 'MAE_encoder.blocks.blocks')
    yield from stacks('decoder_pos_embed', 'decoder_pos_embed.', '0', '2')
    yield from blocks('MAE_decoder.blocks', 'MAE_decoder.blocks', depth=1)
    yield 'MAE_decoder.norm', 'MAE_decoder.norm'
    yield 'increase_dim.lins.0', 'increase_dim.0'


def point_bert_encoder(prefix: str) -> Pairs:
    """The encoder of Point-BERT."""
    for name in ('cls_token', 'cls_pos', 'reduce_dim', 'norm'):
        yield f'{prefix}{name}', f'backbone.{name}'
    yield from patch_embed(f'{prefix}encoder', 'backbone.encoder')
    yield from stacks(f'{prefix}pos_embed', 'backbone.pos_embed.', '0', '2')
    yield from blocks(f'{prefix}blocks', 'backbone.blocks.blocks')


def point_bert() -> Pairs:
    """``PointBERTClassification``."""
    yield from point_bert_encoder('encoder.')
    yield from stacks('head', 'head.cls_head_finetune.', '0', '3')


def point_m2ae_encoder() -> Pairs:
    """The hierarchical encoder of Point-M2AE."""
    for stage, depth in enumerate(published.SIZES['PointM2AE']['depths']):
        embed, position = f'h_encoder.token_embed.{stage}', f'h_encoder.encoder_pos_embeds.{stage}'
        yield from patch_embed(embed, f'backbone.{embed}')
        yield from stacks(position, f'backbone.{position}.', '0', '2')
        stack = f'h_encoder.encoder_blocks.{stage}.blocks'
        yield from blocks(stack, f'backbone.{stack}', depth=depth)


def point_m2ae() -> Pairs:
    """``PointM2AEClassification``."""
    yield from point_m2ae_encoder()
    yield 'norm', 'backbone.norm'
    yield from head()


def point_m2ae_pretraining() -> Pairs:
    """The part of ``PointM2AEPretraining`` that fine-tuning uses."""
    yield from point_m2ae_encoder()
    for stage in range(3):
        yield f'h_encoder.encoder_norms.{stage}', f'backbone.h_encoder.encoder_norms.{stage}'


def gpt_stack(theirs: str, ours: str, *, depth: int) -> Pairs:
    """Extractor or generator of PointGPT."""
    yield from ((f'{theirs}.sos', f'{ours}.sos'), (f'{theirs}.ln_f', f'{ours}.ln_f'))
    for index in range(depth):
        before, after = f'{theirs}.layers.{index}', f'{ours}.layers.{index}'
        yield from ((f'{before}.ln_1', f'{after}.norm1'), (f'{before}.ln_2', f'{after}.norm2'))
        for part in ('weight', 'bias'):
            yield f'{before}.attn.in_proj_{part}', f'{after}.attn.qkv.{part}'
        yield f'{before}.attn.out_proj', f'{after}.attn.proj'
        yield from stacks(f'{before}.mlp', f'{after}.mlp.', 'fc1', 'fc2')


def point_gpt_pretraining() -> Pairs:
    """``PointGPTPretraining``."""
    yield from (('sos_pos', 'backbone.sos_pos'), ('norm', 'backbone.norm'))
    yield from patch_embed('encoder', 'backbone.encoder', num_first=3)
    yield from gpt_stack('blocks', 'backbone.blocks', depth=DEPTH)
    yield from gpt_stack('generator_blocks', 'auxiliary_head.generator_blocks', depth=3)
    yield 'generator_blocks.increase_dim.lins.0', 'auxiliary_head.generator_blocks.increase_dim.0'


def point_gpt() -> Pairs:
    """``PointGPTClassification``."""
    yield from point_gpt_pretraining()
    yield from (
        ('cls_token', 'backbone.cls_token'),
        ('cls_pos', 'backbone.cls_pos'),
        ('cls_norm', 'head.cls_norm'),
    )
    yield from head()


NO_INCREASE = {'backbone.blocks.increase_dim.0.weight', 'backbone.blocks.increase_dim.0.bias'}
"""Tensors without use that the collection leaves out."""

GPT_CLASS = {'backbone.cls_token', 'backbone.cls_pos'}
M2AE_NORM = {'backbone.norm.weight', 'backbone.norm.bias'}

FILES = {
    'Point-MAE or ACT, fine-tuned': ('PointMAE', point_mae, set()),
    'Point-BERT, fine-tuned': ('PointBERT', point_bert, set()),
    'Point-BERT, pre-trained': ('PointBERT', lambda: point_bert_encoder(''), set()),
    'Point-M2AE, fine-tuned': ('PointM2AE', point_m2ae, set()),
    'Point-M2AE, pre-trained': ('PointM2AE', point_m2ae_pretraining, M2AE_NORM),
    'PointGPT, fine-tuned': ('PointGPT', point_gpt, NO_INCREASE),
    'PointGPT, pre-trained': ('PointGPT', point_gpt_pretraining, NO_INCREASE | GPT_CLASS),
}
"""Kind: backbone, names, and what of our model is in no such file."""


def collection_file(model: nn.Module, pairs: Pairs) -> dict[str, Tensor]:
    """A model's tensors under the names of the collection, with convolutions as linear layers."""
    state = model.state_dict()
    found = {}
    for theirs, ours in pairs:
        members = [name for name in state if name == ours or name.startswith(f'{ours}.')]
        assert members, ours
        for name in members:
            value = state[name].squeeze(-1) if state[name].dim() == 3 and 'weight' in name else state[name]
            found[theirs + name[len(ours) :]] = value.clone()
    return found


def small_model(kind: str) -> nn.Module:
    """Our model of a kind."""
    build = published.pretrained_model if kind.endswith('pre-trained') else published.build
    return build(FILES[kind][0])


@pytest.mark.parametrize('kind', FILES)
def test_files(tmp_path: Path, kind: str) -> None:
    """Read from safetensors, recognised, and every tensor at its place with its values."""
    _, names, absent = FILES[kind]
    model = small_model(kind)
    state = collection_file(model, names())
    assert is_collection(state)
    save_file(state, tmp_path / 'model.safetensors')
    state = unwrap_state_dict(load_checkpoint_file(tmp_path / 'model.safetensors'))
    conversion = convert_checkpoint(state, source='model.safetensors')
    assert conversion.kind == kind and conversion.naming == 'torch-pointcloud'
    assert sorted(conversion.used) == sorted(state) and conversion.skipped == []
    assert set(conversion.missed) == absent
    expected = model.state_dict()
    for name, value in conversion.state_dict.items():
        assert torch.equal(value, expected[name]), name


def test_point_mae_pretraining() -> None:
    """The masked autoencoder, decoder included."""
    init_default_scope('point_peft')
    encoder = dict(type='PointMAE', class_token=False, **published.PLAIN)
    model = PointMAEPretrain(encoder, decoder_depth=1, decoder_num_heads=1)
    scramble(model)
    state = collection_file(model, point_mae_pretraining())
    conversion = convert_checkpoint(state, source='model.safetensors')
    assert conversion.kind == 'Point-MAE, pre-trained' and conversion.skipped == conversion.missed == []
    expected = model.state_dict()
    assert conversion.state_dict.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in conversion.state_dict.items())


def test_skipped_names_are_theirs() -> None:
    """What is of no use is reported under the name that it has in the file."""
    state = collection_file(small_model('Point-BERT, pre-trained'), point_bert_encoder(''))
    extra = {name: torch.zeros(3) for name in ('mask_token', 'lm_head.weight', 'cls_head.lins.0.weight')}
    conversion = convert_checkpoint(state | extra, source='model.safetensors')
    assert sorted(conversion.skipped) == sorted(extra) and conversion.missed == []


@pytest.mark.parametrize(
    'extra',
    [
        'label_conv.lins.0.weight',
        'propagation_0.mlp.lins.0.weight',
        'propagations.0.fp.mlp.lins.0.weight',
        'img_token',
    ],
)
def test_other_models(extra: str) -> None:
    """Part segmentation and models whose naming is not known are refused."""
    state = collection_file(small_model('Point-MAE or ACT, fine-tuned'), point_mae())
    with pytest.raises(CheckpointError, match='matches no known layout'):
        convert_checkpoint(state | {extra: torch.zeros(2, 2)}, source='seg.safetensors')


@pytest.mark.parametrize('backbone', published.SIZES)
def test_official_files_are_not_renamed(backbone: str) -> None:
    """Official names never look like the collection's."""
    assert not is_collection(published.finetuned(published.build(backbone)))
    assert not is_collection(published.pretrained(backbone))
