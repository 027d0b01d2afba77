"""The check of the contract finds each way to break it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_models import build_plain, clouds, small_config_of
from torch import Tensor, nn

from point_peft.backbones import ContractError, PointMAE, check_backbone, contract
from point_peft.backbones.base import TRANSFORMER_SITES
from point_peft.backbones.layers import Mlp
from point_peft.structures import BackboneFeatures, PointTokens, TokenStage

Change = Callable[[PointMAE], None]


def member(name: str, value: object) -> Change:
    """Give the backbone another value of a member of its class."""
    return lambda backbone: setattr(type(backbone), name, value)


def other_tokens(**changes: Callable[[PointTokens], object]) -> Change:
    """Change fields of what ``embed`` returns."""

    def embed(self: PointMAE, points: Tensor) -> PointTokens:
        tokens = PointMAE.embed(self, points)
        return replace(tokens, **{name: change(tokens) for name, change in changes.items()})

    return member('embed', embed)


def other_features(**changes: Callable[[BackboneFeatures], object]) -> Change:
    """Change fields of what ``encode`` returns."""

    def encode(self: PointMAE, tokens: PointTokens, **kwargs: Any) -> BackboneFeatures:
        features = PointMAE.encode(self, tokens, **kwargs)
        return replace(features, **{name: change(features) for name, change in changes.items()})

    return member('encode', encode)


def other_calls(call: Callable[[nn.Module, Tensor], Tensor]) -> Change:
    """Call the blocks in another way."""

    def encode(self: PointMAE, tokens: PointTokens, *, hidden_layers: Any = ()) -> BackboneFeatures:
        x, hidden = self.sequence(tokens)[0], {}
        for index, block in enumerate(self.layers):
            x = call(block, x)
            hidden[index] = x[:, 1:]
        return BackboneFeatures(x[:, 1:], tokens, x[:, :1], hidden=hidden)

    return member('encode', encode)


def replaced(path: str, module: nn.Module) -> Change:
    """Put another module in the place of one."""

    def change(backbone: PointMAE) -> None:
        parent, _, child = path.rpartition('.')
        setattr(backbone.get_submodule(parent), child, module)

    return change


def mixed_batch(tokens: PointTokens) -> Tensor:
    """Features that depend on the mean over the batch."""
    return tokens.features - tokens.features.mean(dim=0)


def longer(block: nn.Module, x: Tensor) -> Tensor:
    """Let a block see one token more."""
    return block(torch.cat([x, x[:, :1]], dim=1))[:, :-1]


def coarse(centers: Callable[[PointTokens], Tensor]) -> Change:
    """A second stage for the last two blocks, which the blocks do not know about."""
    change = other_tokens(
        coarser=lambda tokens: (TokenStage(centers(tokens), torch.zeros(len(tokens.centers), 8, 2).long()),)
    )

    def apply(backbone: PointMAE) -> None:
        change(backbone)
        type(backbone).layer_stages = [0, 0, 1, 1]

    return apply


def not_a_block(backbone: PointMAE) -> None:
    """A stray list that nothing owns, of the right kind of block."""
    type(backbone).layers = list(build_plain().layers)


class ByFunctions(Mlp):
    """Uses the weights of its layers, and not the layers, so nobody could act on them."""

    def forward(self, x: Tensor) -> Tensor:
        """As the network that it is derived from."""
        hidden = nn.functional.gelu(nn.functional.linear(x, self.fc1.weight, self.fc1.bias))
        return nn.functional.linear(hidden, self.fc2.weight, self.fc2.bias)


BLOCK = r'layers\[1\]'
BROKEN: dict[str, tuple[Change, str]] = {
    'no width': (lambda backbone: delattr(backbone, 'embed_dim'), 'embed_dim is not an int'),
    'number of groups': (lambda backbone: setattr(backbone, 'num_groups', 16.0), 'num_groups is not an int'),
    'number of prefix tokens': (
        lambda backbone: setattr(backbone, 'num_prefix_tokens', None),
        'num_prefix_tokens is not an int',
    ),
    'no blocks': (member('layers', []), 'layers is empty'),
    'stray blocks': (not_a_block, r'layers\[0\] is not a module of the backbone'),
    'no site of the block': (
        member('block_sites', {'mlp': 'mlp'}),
        "block_sites does not name the block itself: 'block': ''",
    ),
    'site that is not there': (
        member('block_sites', TRANSFORMER_SITES | {'gate': 'mlp.gate'}),
        rf'{BLOCK}\.mlp\.gate is not an nn\.Module, as the site gate is',
    ),
    'site that is not called': (
        replaced('blocks.blocks.1.mlp', ByFunctions(48, hidden_dim=192)),
        r'the site mlp\.fc1 of layers\[1\] is called 0 times as a module, not once',
    ),
    'no qkv': (
        replaced('blocks.blocks.1.attn.qkv', nn.Identity()),
        rf'{BLOCK}\.attn\.qkv is not an nn\.Linear',
    ),
    'no proj': (
        replaced('blocks.blocks.1.attn.proj', nn.Identity()),
        rf'{BLOCK}\.attn\.proj is not an nn\.Linear',
    ),
    'no fc1': (
        replaced('blocks.blocks.1.mlp.fc1', nn.Identity()),
        rf'{BLOCK}\.mlp\.fc1 is not an nn\.Linear',
    ),
    'no fc2': (
        replaced('blocks.blocks.1.mlp.fc2', nn.Identity()),
        rf'{BLOCK}\.mlp\.fc2 is not an nn\.Linear',
    ),
    'no norm1': (
        replaced('blocks.blocks.1.norm1', nn.Identity()),
        rf'{BLOCK}\.norm1 is not an nn\.LayerNorm',
    ),
    'no norm2': (
        replaced('blocks.blocks.1.norm2', nn.Identity()),
        rf'{BLOCK}\.norm2 is not an nn\.LayerNorm',
    ),
    'width of a block': (
        replaced('blocks.blocks.1.attn.qkv', nn.Linear(40, 120)),
        rf'{BLOCK}\.attn\.qkv maps 40 to 120, but layer_dims says 48',
    ),
    'dims of too few blocks': (member('layer_dims', [48] * 3), 'layer_dims has 3 entries for 4 layers'),
    'stages of too many blocks': (member('layer_stages', [0] * 5), 'layer_stages has 5 entries for 4 layers'),
    'stages go back': (member('layer_stages', [0, 1, 0, 0]), 'layer_stages goes back to an earlier stage'),
    'decoder layers': (
        member('decoder_layers', [[0, 4]]),
        r'decoder_layers=\[\[0, 4\]\] names block 4, but they go from 0 to 3',
    ),
    'decoder layers of more stages': (
        member('decoder_layers', [[0], [1]]),
        r'decoder_layers=\[\[0\], \[1\]\] has 2 stages, but there are 1',
    ),
    'prefix parameter': (
        member('prefix_parameters', lambda self: ['cls_token', 'class_pos']),
        r"prefix_parameters\(\) names 'class_pos', which is no parameter",
    ),
    'final norm': (
        member('final_norm', lambda self: nn.LayerNorm(48)),
        r'final_norm\(\) is not a module of the backbone',
    ),
    'centers': (
        other_tokens(
            centers=lambda tokens: tokens.centers[:, 1:], features=lambda tokens: tokens.features[:, 1:]
        ),
        r'embed\(\) returns centers \(3, 15, 3\), not \(3, 16, 3\)',
    ),
    'features': (
        other_tokens(features=lambda tokens: tokens.features[:, 1:]),
        r'embed\(\) returns features \(3, 15, 48\), which fit no centers and first layer',
    ),
    'stages': (member('layer_stages', [0, 0, 1, 1]), 'layer_stages has 2 stages, but tokens have 1'),
    'coarse centers': (
        coarse(lambda tokens: tokens.centers[:, 8:]),
        'the centers of a coarser stage are not the first ones of the stage before',
    ),
    'length of the sequence': (
        other_calls(longer),
        r'the blocks saw sequences of \[18, 18, 18, 18\] tokens, not \[17, 17, 17, 17\]',
    ),
    'tokens by keyword': (
        other_calls(lambda block, x: block(x=x)),
        r'a block is not called as block\(x\) or block\(x, mask\)',
    ),
    'patches': (
        other_features(patches=lambda features: features.patches[..., 1:]),
        r'encode\(\) returns patches \(3, 16, 47\) for centers \(3, 16, 3\)',
    ),
    'prefix': (
        other_features(prefix=lambda features: features.prefix[:, :0]),
        r'encode\(\) returns prefix \(3, 0, 48\), but num_prefix_tokens says otherwise',
    ),
    'hidden tokens with prefix': (
        other_features(hidden=lambda features: {index: torch.zeros(3, 17, 48) for index in range(4)}),
        r'encode\(\) does not keep patch tokens \(3, 16, 48\) of layer 0 when hidden_layers asks for them',
    ),
    'a hidden layer': (
        other_features(hidden=lambda features: {i: x for i, x in features.hidden.items() if i != 2}),
        r'encode\(\) does not keep patch tokens \(3, 16, 48\) of layer 2 when hidden_layers asks for them',
    ),
    'summary': (
        member('summarize', lambda self, tokens: tokens.features),
        r'summarize\(\) returns \(3, 16, 48\), not \(3, 48\)',
    ),
    'summary of all blocks': (
        member('summarize', lambda self, tokens, num_layers=0: tokens.features[:, num_layers]),
        r'summarize\(\) of all blocks is another one with num_layers than without',
    ),
    'summary of some blocks': (
        member('summarize', lambda self, tokens, num_layers=None: tokens.features[:, 0]),
        r'summarize\(\) does not stop after num_layers blocks',
    ),
    'embedding of groups': (
        other_tokens(features=lambda tokens: tokens.features + 1),
        r'embed_groups\(\) does not give the features that embed\(\) returns',
    ),
    'order of sampling': (
        other_tokens(sampling_rank=lambda tokens: torch.zeros_like(tokens.center_index)),
        'sampling_rank is no permutation of the groups',
    ),
    'not a number': (
        other_features(patches=lambda features: features.patches * float('nan')),
        'the tokens of a cloud depend on the other clouds of its batch',
    ),
    'batch': (
        other_tokens(features=mixed_batch),
        'the tokens of a cloud depend on the other clouds of its batch',
    ),
}


def broken(change: Change) -> PointMAE:
    """A small Point-MAE of a class of its own, with something changed."""
    config = {key: value for key, value in small_config_of('PointMAE').items() if key != 'type'}
    backbone = type('Broken', (PointMAE,), {})(**config)
    change(backbone)
    return backbone


@pytest.mark.parametrize('case', BROKEN)
def test_broken(case: str) -> None:
    """Each rule, broken on purpose, is named together with the class; nothing else goes wrong before."""
    change, message = BROKEN[case]
    backbone = broken(change)
    with pytest.raises(ContractError, match=rf'Broken breaks the contract of backbones: .*{message}'):
        check_backbone(backbone, clouds(3))


def test_unbroken() -> None:
    """The class from which the broken ones are made is right."""
    check_backbone(broken(lambda backbone: None), clouds(3))


def test_all_problems_are_named() -> None:
    """One error has them all, and training mode is left."""
    backbone = broken(member('layer_dims', [48] * 3))
    type(backbone).final_norm = lambda self: nn.LayerNorm(48)
    with pytest.raises(ContractError, match=r'layer_dims has 3 .*; final_norm\(\) is not a module of the'):
        check_backbone(backbone.train(), clouds(3))
    assert not backbone.training


def test_every_rule_is_broken_once() -> None:
    """A rule that is added to the check needs a broken backbone above."""
    found = []
    for change, _ in BROKEN.values():
        with pytest.raises(ContractError) as raised:
            check_backbone(broken(change), clouds(3))
        found.append(str(raised.value))
    yields = [
        node.value for node in ast.walk(ast.parse(inspect.getsource(contract))) if isinstance(node, ast.Yield)
    ]
    assert len(yields) > 15
    for text in yields:
        parts = text.values if isinstance(text, ast.JoinedStr) else [text]
        rule = '.*'.join(re.escape(part.value) for part in parts if isinstance(part, ast.Constant))
        assert any(re.search(rule, message) for message in found), (
            f'no broken backbone shows the rule {rule!r}'
        )


@pytest.mark.parametrize(
    'call',
    [lambda block, x: block(x, None), lambda block, x: block(x, attn_mask=None)],
    ids=['place', 'name'],
)
def test_masks(call: Callable[[nn.Module, Tensor], Tensor]) -> None:
    """A mask may be given by position, as MMEngine's activation checkpointing needs it, or by name."""
    check_backbone(broken(other_calls(call)), clouds(3))
