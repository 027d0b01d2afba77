"""Under autocast a tuned model differs from itself in float32 by rounding, and geometry and retrieval do not at all.

Gradients are compared at the width of head and batch that the configs have; :func:`test_why_gradients_differ` says why.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
import torch
from small_models import (
    METHODS,
    NUM_CLASSES,
    SMALL_BACKBONES,
    build_classifier,
    build_plain,
    clouds,
    fill_bank,
    methods_for,
    scramble,
)
from torch import Tensor, nn
from torch.nn import functional as F

from point_peft.apis import get_config
from point_peft.engine.config import part_files
from point_peft.io.errors import InvalidValueError
from point_peft.methods import LoRA, MemoryBank, PEFTBackbone
from point_peft.methods.frozen_storage import store_frozen
from point_peft.models import PointClassifier, PointDescriptor

POINTS = clouds(8, seed=9)
BATCH = clouds(32, seed=9)
"""As many clouds as the configs train on."""

WIDTH = (256, 256)
"""The classification head's hidden layers in the configs."""

PARTS = {name: 'pointgpt_s' if name == 'PointGPT' else name.lower() for name in SMALL_BACKBONES}
"""The backbones in the names of configs."""

SMALLER = dict(IDPT=dict(num_neighbors=8), MoST=dict(num_blocks=4, num_fused=2))
"""What fits small networks, by the type of the method."""

STEP = 2**-7
"""Between numbers of bfloat16, relative to them."""

every_backbone = pytest.mark.parametrize('name', SMALL_BACKBONES)


def move(model: PointClassifier) -> PointClassifier:
    """Move the tuned biases (all of the blocks in full fine-tuning), and LoRA's B, which starts at zero."""
    wrapper, generator = model.backbone, torch.Generator().manual_seed(5)
    with torch.no_grad():
        if not isinstance(wrapper, PEFTBackbone):
            for parameter in (
                p for layer in wrapper.layers for n, p in layer.named_parameters() if 'bias' in n
            ):
                parameter.add_(0.1)
            return model
        for moved in wrapper.tuned_names:
            wrapper.backbone.get_parameter(moved).add_(0.1)
        for update in (u for method in wrapper.methods if isinstance(method, LoRA) for u in method.updates):
            update[1].weight.normal_(std=0.05, generator=generator)  # updates of half a weight's size
    return model


def tuned(name: str, way: str) -> PointClassifier:
    """A model whose tuned biases have moved, with a filled bank."""
    model = move(build_classifier(methods_for(name)[way], name=name))
    fill_bank(model, rows=200)
    return model


def shipped(name: str, way: str) -> PointClassifier:
    """A tuned model with the methods of a method in configs and the head that goes with them."""
    changes: dict[str, Any] = dict(name=name, head=dict(hidden_dims=() if way == 'linear_probe' else WIDTH))
    if name == 'PointM2AE':
        changes['num_groups'] = (64, 32, 16)  # the adapter's neighbours are 16
    if way == 'full':
        return move(build_classifier(None, **changes))
    methods = get_config(f'{way}/{PARTS[name]}_scanobjnn').peft.methods
    methods = [hook | SMALLER.get(hook['type'], {}) for hook in methods]
    model = build_classifier(methods, fresh=True, **changes)
    for method in model.backbone.methods:
        if not isinstance(method, LoRA):
            scramble(method, seed=3)
    fill_bank(model, rows=200)
    return move(model)


def logits_and_gradient(
    model: PointClassifier, points: Tensor = BATCH, *, autocast: bool
) -> tuple[Tensor, Tensor]:
    """Logits (B, classes), and the gradient of all that is trained as one vector."""
    model.zero_grad()
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        output = model(dict(points=points))
    F.cross_entropy(output, torch.arange(len(points)) % NUM_CLASSES).backward()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # a head that reads no prefix tokens leaves DAPT's last prompt without a gradient
    return output.detach(), torch.cat([p.grad.flatten() for p in trained if p.grad is not None])


def rounded_logits(model: PointClassifier) -> Tensor:
    """Logits in float32 but for operands and results of all linear maps: what bfloat16 must cost, without autocast."""
    linear = F.linear

    def rounding(*operands: Tensor | None) -> Tensor:
        short = [None if operand is None else operand.bfloat16().float() for operand in operands]
        return linear(*short).bfloat16().float()

    by_linear = patch('point_peft.ops.low_rank._in_one_pass', return_value=False)
    by_torch = torch.backends.mkldnn.flags(enabled=False)
    with torch.no_grad(), by_linear, by_torch, patch('torch.nn.functional.linear', rounding):
        return model(dict(points=BATCH))


def distance(one: Tensor, other: Tensor) -> float:
    """Root of the mean square of the differences."""
    return float((one - other).square().mean().sqrt())


@every_backbone
@pytest.mark.parametrize('way', sorted(part_files('method')))
def test_logits_and_gradients(name: str, way: str) -> None:
    """Within 0.04, or one step of bfloat16 of the largest logit, and with a cosine of 0.99 for all that ships.

    And no further off than rounding explains.
    """
    model = shipped(name, way)
    exact, rough = (logits_and_gradient(model, autocast=autocast) for autocast in (False, True))
    limit = max(0.04, float(exact[0].abs().max()) * STEP)
    assert rough[0].dtype == torch.float32 and 0 < (rough[0] - exact[0]).abs().max() < limit
    assert distance(rough[0], exact[0]) < 1.3 * distance(rounded_logits(model), exact[0])
    assert F.cosine_similarity(rough[1], exact[1], dim=0) > 0.99


@pytest.mark.parametrize('way', sorted(part_files('method')))
def test_frozen_weights_in_bfloat16(way: str) -> None:
    """Changes no bit of any method that ships, or is refused."""
    model = shipped('PointMAE', way)
    if not isinstance(model.backbone, PEFTBackbone):
        return
    methods = model.backbone.methods
    if any(method.needs_exact_weights for method in methods):
        with pytest.raises(InvalidValueError, match='cannot tune a backbone whose frozen weights are stored'):
            store_frozen(model.backbone.backbone, methods, 'bfloat16')
        return
    expected = logits_and_gradient(model, POINTS, autocast=True)
    store_frozen(model.backbone.backbone, methods, 'bfloat16')
    found = logits_and_gradient(model, POINTS, autocast=True)
    assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])


@every_backbone
@pytest.mark.parametrize('way', ['bitfit', 'prompt', 'vpt_deep'])
def test_second_forward(name: str, way: str) -> None:
    """The casts that autocast keeps change nothing, and small models and batches are not further off."""
    model = tuned(name, way)
    exact = logits_and_gradient(model, POINTS, autocast=False)
    first, second = (logits_and_gradient(model, POINTS, autocast=True) for _ in range(2))
    assert 0 < (first[0] - exact[0]).abs().max() < 0.04
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


@pytest.mark.parametrize('methods', [None, METHODS['lora'], METHODS['bitfit']])
def test_why_gradients_differ(methods: list[dict[str, Any]] | None) -> None:
    """Rounding turns a ReLU or a maximum here and there, where a gradient jumps.

    In a head of 16 units on 8 clouds that can cost more than a hundredth of the cosine, and with the gates of float32
    the cosine is one.
    """
    model, gates, forward = build_classifier(methods, fresh=True), [], nn.ReLU.forward
    with patch.object(nn.ReLU, 'forward', lambda relu, x: (gates.append(x > 0), forward(relu, x))[1]):
        exact = logits_and_gradient(model, POINTS, autocast=False)
    rough = logits_and_gradient(model, POINTS, autocast=True)
    kept = iter(gates)
    with patch.object(nn.ReLU, 'forward', lambda relu, x: x * next(kept)):
        same_gates = logits_and_gradient(model, POINTS, autocast=True)
    assert F.cosine_similarity(rough[1], exact[1], dim=0) < 0.995
    assert F.cosine_similarity(same_gates[1], exact[1], dim=0) > 0.999


@every_backbone
def test_lora_of_an_absurd_size(name: str) -> None:
    """Updates of fifteen times the weights amplify rounding five times (but in a hierarchy); autocast adds nothing."""
    model = build_classifier(methods_for(name)['lora'], name=name, head=dict(hidden_dims=WIDTH))
    exact, rough = (logits_and_gradient(model, autocast=autocast)[0] for autocast in (False, True))
    expected = distance(rounded_logits(model), exact)
    assert expected > (0.004 if name == 'PointM2AE' else 0.015)
    assert distance(rough, exact) < 2 * expected


@every_backbone
def test_what_blocks_add_to(name: str) -> None:
    """Tokens and positions, to which every block adds or which it adds, are not rounded."""
    model, seen = build_classifier(name=name), []
    for layer in model.backbone.layers:
        layer.register_forward_hook(lambda *args: seen.append((args[1][0].dtype, args[2].dtype)))
    positions = [m for n, m in model.named_modules() if 'pos_embed' in n and isinstance(m, nn.Sequential)]
    centers = clouds()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        model(dict(points=POINTS))
        found = [module(centers) for module in positions]
    assert set(seen) == {(torch.float32, torch.float32)} and len(seen) == len(model.backbone.layers)
    for module, position in zip(positions, found):
        assert torch.equal(position, module(centers))


@every_backbone
def test_query_does_not_depend_on_autocast(name: str) -> None:
    """To the bit the descriptor of the plain network in float32, so the same clouds are retrieved as without."""
    wrapper, plain = tuned(name, 'point_peft').backbone, build_plain(name)
    tokens = plain.embed(POINTS)
    expected = plain.summarize(tokens)
    seen: list[Tensor] = []
    prompt = wrapper.methods[0]
    prompt.bank.register_forward_hook(lambda *args: seen.append(args[2].index))
    with torch.no_grad():
        wrapper(POINTS)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            wrapper(POINTS)
            assert torch.equal(wrapper.pretrained_summary(tokens), expected)
    assert torch.equal(*seen)


def test_descriptor_model() -> None:
    """What a bank is built from is not rounded either."""
    model = PointDescriptor(dict(type='PointMAE', num_groups=16, group_size=8, depth=2)).eval()
    expected = model(dict(points=POINTS)).detach()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(model(dict(points=POINTS)), expected)


def test_retrieval() -> None:
    """Neighbours, similarities and values are those without autocast, to the bit; rounded, many would be wrong."""
    generator = torch.Generator().manual_seed(0)
    bank, query = MemoryBank(384), torch.rand(64, 384, generator=generator)
    bank.fill(query.repeat(8, 1) + 0.1 * torch.rand(512, 384, generator=generator))
    expected = bank(query, 8)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = bank(query, 8)
        rounded = (F.normalize(query, dim=1) @ bank.keys.T).argmax(dim=1)
    for field, value in vars(expected).items():
        assert torch.equal(getattr(found, field), value), field
    assert (rounded == expected.index[:, 0]).float().mean() < 0.9


def test_detaching_inside_autocast() -> None:
    """The casts of the tuned values go with them."""
    model, plain = tuned('PointMAE', 'bitfit'), build_plain()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        model.backbone(POINTS)
        found = model.backbone.detach()(POINTS).patches
        assert torch.equal(found, plain(POINTS).patches)
        model.backbone.attach()
        again = model.backbone(POINTS).patches
    assert (again - found).abs().max() > 0.05
