"""Adapters on a module of another package, at sites of its blocks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from plain_network import SITES, Network, network
from small_models import scramble, state_of
from torch import Tensor, nn

from point_peft.adapters import (
    NamedSites,
    adapter_info,
    disable_adapter,
    get_peft_model,
    list_adapters,
    merge_and_unload,
    set_adapter,
)
from point_peft.io.errors import PointPEFTError

X = torch.rand(3, 5, 8, generator=torch.Generator().manual_seed(0))

LORA = dict(type='LoRA', rank=2, targets=('mlp.fc1', 'mlp.2'))
METHODS: dict[str, Any] = {
    'lora': LORA,
    'dora': dict(LORA, type='DoRA'),
    'bitfit': dict(type='SelectiveTuning', norm_weights=True),
    'adapter': dict(type='BottleneckAdapter', dim=2),
    'ssf': dict(type='SSF', sites=('norm1', 'mlp.fc1')),
    'vpt_deep': dict(type='VPTDeep', num_tokens=2),
}


def fit(model: nn.Module) -> Tensor:
    """A step in training mode, and what comes out afterwards."""
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(X).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    optimizer.step()
    model.zero_grad()
    return model.eval()(X).detach()


def test_all_that_acts_at_sites() -> None:
    """Each is trained alone; they are switched, switched off and back on, bit for bit."""
    model = network()
    before, weights, outputs = model(X), state_of(model), {}
    for name, method in METHODS.items():
        get_peft_model(model, method, name=name, sites=SITES, modules_to_save=['head'])
        scramble(adapter_info(model).wrapper.methods)
        outputs[name] = fit(model)
        assert not torch.equal(outputs[name], before)
    for name in (*METHODS, *reversed(METHODS)):
        set_adapter(model, name)
        assert torch.equal(model(X), outputs[name])
        with disable_adapter(model):
            assert torch.equal(model(X), before)
            found = model.state_dict()
            assert all(torch.equal(found[key], value) for key, value in weights.items())
    assert list_adapters(model) == list(METHODS)


def test_identity_and_names() -> None:
    model = network()
    before, names = model(X), set(model.state_dict())
    get_peft_model(model, LORA, sites=SITES, rank=1)
    assert torch.equal(model(X), before)
    assert all(key.startswith('peft.methods.0.updates') for key in set(model.state_dict()) - names)
    assert not model.head.weight.requires_grad  # it is not in modules_to_save


def test_a_copy_acts_by_itself() -> None:
    model = get_peft_model(network(), LORA, sites=SITES)
    scramble(adapter_info(model).wrapper.methods)
    expected, other = model(X), copy.deepcopy(model)
    scramble(adapter_info(model).wrapper.methods, seed=9)
    changed = model(X)
    assert torch.equal(other(X), expected) and not torch.equal(changed, expected)
    assert torch.equal(model(X), changed)


def test_merging() -> None:
    model = get_peft_model(network(), [LORA, METHODS['ssf']], sites=SITES)
    scramble(adapter_info(model).wrapper.methods)
    expected, names = model(X), set(network().state_dict())
    assert merge_and_unload(model) is model and set(model.state_dict()) == names
    torch.testing.assert_close(model(X), expected, atol=1e-5, rtol=1e-5)
    assert not model._forward_hooks and not model._forward_pre_hooks


def test_activation_checkpointing() -> None:
    """What runs again in the backward is tuned too."""
    from torch.utils.checkpoint import checkpoint

    class Saving(Network):
        def forward(self, x: Tensor) -> Tensor:
            for block in self.body:
                x = checkpoint(block, x, use_reentrant=False)
            return self.head(self.batch_norm(self.norm(x).mean(dim=1)))

    gradients = []
    for kind in (Network, Saving):
        torch.manual_seed(0)
        model = kind()
        scramble(model)
        get_peft_model(model.eval(), LORA, sites=SITES)
        scramble(adapter_info(model).wrapper.methods)
        model(X).square().sum().backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
    for one, other in zip(*gradients):
        assert one.abs().sum() > 0
        torch.testing.assert_close(one, other)


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()


def test_transformer_of_torch() -> None:
    """Hooks act in evaluation too, though torch has a faster path without submodules."""
    sites = NamedSites('layers', names={'mlp.fc1': 'linear1'})
    model = get_peft_model(encoder(), dict(LORA, targets=('mlp.fc1', 'linear2')), sites=sites)
    with torch.no_grad():
        before = model(X)
        scramble(adapter_info(model).wrapper.methods)
        assert not torch.allclose(model(X), before)
    with pytest.raises(PointPEFTError, match='inside a torch.nn.MultiheadAttention'):
        get_peft_model(encoder(), dict(LORA, targets=('self_attn.out_proj',)), sites=sites)


@pytest.mark.parametrize(
    ('method', 'options', 'message'),
    [
        ('point_peft', dict(sites=SITES), 'PointPriorPrompt works on point clouds and their tokens'),
        ('stag', dict(sites=SITES), 'STAG works on point clouds'),
        ('lora', {}, 'Network has no backbone of this project; say where its blocks are'),
        ('lora', dict(sites=SITES), "LoRA acts on 'attn.qkv', but the blocks of Network have no such site"),
        (LORA, dict(sites=NamedSites('blocks')), "Network has no module 'blocks'"),
        (LORA, dict(sites=NamedSites('head')), "'head' is a Linear with 0 modules"),
        (LORA, dict(sites=NamedSites('body', names=dict(a='b'))), "not every block has 'b'"),
        (LORA, dict(sites=SITES, modules_to_save=['tail']), "modules_to_save has 'tail'"),
        (
            LORA,
            dict(sites=SITES, head=dict(num_classes=3)),
            'name modules of a plain module in modules_to_save',
        ),
        (
            'bitfit',
            dict(sites=NamedSites('body'), final_norm=True),
            "say which it is with NamedSites.final_norm='...'",
        ),
        (
            dict(type='SelectiveTuning', embedding=True),
            dict(sites=SITES),
            'embedding=True trains the first_conv',
        ),
    ],
)
def test_refusals(method: Any, options: dict[str, Any], message: str) -> None:
    model = network()
    before = model(X)
    with pytest.raises(PointPEFTError, match=message):
        get_peft_model(model, method, **options)
    assert torch.equal(model(X), before) and not hasattr(model, 'peft')
    assert all(parameter.requires_grad for parameter in model.parameters())
