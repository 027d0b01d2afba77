from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.logging import MMLogger
from torch import nn

from point_peft.engine.runtime.optimizers import (
    BFloat16OptimWrapper,
    PointOptimWrapperConstructor,
    is_without_decay,
)
from point_peft.io.errors import ConfigError
from point_peft.ops.compiling import HAS_CUSTOM_OPERATORS

ADAMW = dict(optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.05))


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.tokenizer = nn.Linear(3, 4)
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.norm = nn.LayerNorm(4)
        self.head = nn.Sequential(OrderedDict(a=nn.Linear(4, 2), header=nn.Linear(2, 2, bias=False)))


def groups_by_name(model: nn.Module, **paramwise: object) -> dict[str, dict]:
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = PointOptimWrapperConstructor(ADAMW, paramwise)(model).optimizer.param_groups
    return {names[parameter]: group for group in groups for parameter in group['params']}


def test_groups_by_hand() -> None:
    groups = groups_by_name(Network())
    assert {name for name, group in groups.items() if group['weight_decay'] == 0.05} == {
        'tokenizer.weight',
        'head.a.weight',
        'head.header.weight',
    }
    assert {name for name, group in groups.items() if group['weight_decay'] == 0} == {
        'cls_token',
        'tokenizer.bias',
        'norm.weight',
        'norm.bias',
        'head.a.bias',
    }
    assert len({id(group) for group in groups.values()}) == 2


def test_learning_rate_of_the_longest_prefix() -> None:
    groups = groups_by_name(Network(), lr_mult={'head': 10.0, 'head.header': 0.5})
    assert groups['head.a.weight']['lr'] == pytest.approx(1.0)
    assert groups['head.a.bias']['lr'] == pytest.approx(1.0)
    assert groups['head.header.weight']['lr'] == pytest.approx(0.05)  # and head.header is no prefix of head.a
    assert groups['norm.weight']['lr'] == groups['tokenizer.weight']['lr'] == 0.1
    assert groups['head.a.bias']['weight_decay'] == 0


def test_first_group_has_the_plain_rate() -> None:
    wrapper = PointOptimWrapperConstructor(ADAMW, dict(lr_mult={'head': 10.0}))(Network())
    assert wrapper.get_lr()['lr'][0] == 0.1
    assert wrapper.param_groups[0]['weight_decay'] == 0.05


def test_summary_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(MMLogger, 'handle', lambda self, record: lines.append(record.getMessage()))
    PointOptimWrapperConstructor(ADAMW, dict(lr_mult={'head': 10.0}))(Network())
    assert [line for line in lines if line.startswith('optimizer: ')] == [
        'optimizer: 12 parameters in 1 tensors with weight decay; 16 parameters in 4 tensors without weight '
        "decay; 12 parameters in 2 tensors with weight decay, lr 1 for 'head'; 2 parameters in 1 tensors "
        "without weight decay, lr 1 for 'head'"
    ]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.booleans(), min_size=9, max_size=9))
def test_trainable_parameters_and_only_they_are_optimized(trained: list[bool]) -> None:
    model = Network()
    for parameter, flag in zip(model.parameters(), trained, strict=False):
        parameter.requires_grad_(flag)
    wanted = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    if wanted:
        assert set(groups_by_name(model)) == wanted
    else:
        with pytest.raises(ConfigError, match='no parameter of the model is trainable'):
            groups_by_name(model)


@pytest.mark.parametrize(
    ('name', 'dim', 'spared'),
    [
        ('blocks.0.mlp.fc1.weight', 2, False),
        ('blocks.0.mlp.fc1.bias', 1, True),
        ('norm.weight', 1, True),
        ('a.bias', 2, True),
        ('cls_token', 3, True),
        ('prompt_tokens', 2, True),
        ('tokenizer.conv.weight', 3, False),
        ('gate', 0, True),
        ('prompt_embeddings.0', 2, False),
        ('cls_pos', 3, False),
    ],
)
def test_published_rule(name: str, dim: int, spared: bool) -> None:
    assert is_without_decay(name, nn.Parameter(torch.zeros([1] * dim))) is spared


@pytest.mark.skipif(not HAS_CUSTOM_OPERATORS, reason='updating at once on a CPU needs torch 2.4')
@pytest.mark.parametrize(
    ('optimizer', 'fused'),
    [
        (dict(type='AdamW'), True),
        (dict(type='Adam'), True),
        (dict(type='AdamW', fused=False), False),
        (dict(type='AdamW', foreach=True), None),
        (dict(type='AdamW', differentiable=True), None),
        (dict(type='SGD'), None),
    ],
)
def test_all_parameters_at_once(optimizer: dict, fused: bool | None) -> None:
    """On a CPU, unless the config says how; one step is that of the loop over the parameters."""
    results = []
    for chosen in (optimizer, optimizer | dict(fused=False)):
        torch.manual_seed(0)
        network = Network()
        built = PointOptimWrapperConstructor(dict(optimizer=dict(lr=0.1, **chosen)))(network).optimizer
        results.append((built.param_groups[0]['fused'], network))
        if not chosen.get('differentiable'):
            for parameter in network.parameters():
                parameter.grad = torch.ones_like(parameter)
            built.step()
    assert results[0][0] is fused
    torch.testing.assert_close(*(network.state_dict() for _, network in results))


def test_bad_options() -> None:
    with pytest.raises(ConfigError, match="unknown option 'custom_keys'"):
        PointOptimWrapperConstructor(ADAMW, dict(custom_keys={}))
    with pytest.raises(ConfigError, match="lr_mult names 'haed', .* has .*'head'"):
        PointOptimWrapperConstructor(ADAMW, dict(lr_mult=dict(haed=2.0)))(Network())
    with pytest.raises(ConfigError, match='no lr to multiply'):
        PointOptimWrapperConstructor(dict(optimizer=dict(type='AdamW')), dict(lr_mult=dict(head=2.0)))


def test_steps_in_bfloat16() -> None:
    """The forward is rounded, weights and gradients are not; a config's ``optim_wrapper.type`` chooses it."""
    model = Network()
    cfg = dict(ADAMW, type='BFloat16OptimWrapper', clip_grad=dict(max_norm=10.0))
    wrapper = PointOptimWrapperConstructor(cfg)(model)
    assert isinstance(wrapper, BFloat16OptimWrapper)
    before = model.tokenizer.weight.detach().clone()
    with wrapper.optim_context(model):
        features = model.tokenizer(torch.randn(2, 3))
    assert features.dtype == torch.bfloat16
    wrapper.update_params(features.float().square().sum())
    assert model.tokenizer.weight.dtype == torch.float32 and not torch.equal(model.tokenizer.weight, before)
    assert model.tokenizer(torch.randn(2, 3)).dtype == torch.float32
