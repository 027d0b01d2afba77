"""Recomputing blocks in the backward (activation checkpointing) changes memory and time, and not a number."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch
from mmengine.runner import turn_on_activation_checkpointing
from small_models import (
    NUM_CLASSES,
    SMALL_BACKBONES,
    build_classifier,
    build_plain,
    clouds,
    fill_bank,
    methods_for,
)
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    CheckpointImpl,
    apply_activation_checkpointing,
    checkpoint_wrapper,
)
from torch.nn import functional as F
from torch.utils import checkpoint

from point_peft.backbones import PointMAE
from point_peft.methods import TuningContext, TuningMethod
from point_peft.models import PointClassifier
from point_peft.registry import MODELS

Found = tuple[float, dict[str, Tensor | None], dict[str, Tensor]]
"""Loss, gradients and buffers."""

pytestmark = pytest.mark.filterwarnings('ignore:torch.utils.checkpoint', 'ignore:None of the inputs')


def build(name: str, way: str) -> PointClassifier:
    """A float64 model in training mode, all that is random in it switched on, whose tuned biases have moved."""
    model = build_classifier(None if way == 'full' else methods_for(name)[way], name=name)
    with torch.no_grad():
        for moved in getattr(model.backbone, 'tuned_names', ()):
            model.backbone.backbone.get_parameter(moved).add_(0.1)
    fill_bank(model)
    return model.double().train()


def block_names(model: PointClassifier) -> list[str]:
    """Names of the transformer blocks in the model."""
    blocks = {id(block) for block in getattr(model.backbone, 'backbone', model.backbone).layers}
    return [name for name, module in model.named_modules() if id(module) in blocks]


def by_mmengine(model: PointClassifier) -> None:
    """The blocks, as MMEngine's runner does it for ``activation_checkpointing=[...]``."""
    turn_on_activation_checkpointing(model, block_names(model))


def parts_by_mmengine(model: PointClassifier) -> None:
    """The blocks, and their feed-forward networks once more inside."""
    names = block_names(model)
    turn_on_activation_checkpointing(model, [*names, *(f'{name}.mlp' for name in names)])


def by_torch(model: PointClassifier, kind: CheckpointImpl) -> None:
    """The blocks with all the hooks on them, as FSDP's strategy does it."""
    blocks = {id(model.get_submodule(name)) for name in block_names(model)}
    wrap = partial(checkpoint_wrapper, checkpoint_impl=kind)
    apply_activation_checkpointing(
        model, checkpoint_wrapper_fn=wrap, check_fn=lambda module: id(module) in blocks
    )


KINDS: dict[str, Callable[[PointClassifier], None]] = {
    'mmengine': by_mmengine,
    'nested': parts_by_mmengine,
    'torch': partial(by_torch, kind=CheckpointImpl.NO_REENTRANT),
    'reentrant': partial(by_torch, kind=CheckpointImpl.REENTRANT),
}


def run(model: nn.Module, *, seeds: tuple[int, ...] = (9,)) -> Found:
    """One backward through the sum of the losses of several forwards."""
    torch.manual_seed(0)
    dtype, labels = next(model.parameters()).dtype, torch.arange(6) % NUM_CLASSES
    batches = [clouds(6, seed=seed).to(dtype) for seed in seeds]
    losses = [F.cross_entropy(model(dict(points=batch), mode='tensor'), labels) for batch in batches]
    sum(losses).backward()
    gradients = {plain_name(name): p.grad for name, p in model.named_parameters() if p.requires_grad}
    return sum(losses).item(), gradients, {plain_name(n): b.clone() for n, b in model.named_buffers()}


def plain_name(name: str) -> str:
    """A tensor's name without that of torch's wrapper."""
    return name.replace('_checkpoint_wrapped_module.', '')


def assert_same(found: Found, expected: Found) -> None:
    """The same loss to the bit, gradients but for the order of sums, and statistics that moved once."""
    assert found[0] == expected[0] and found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        assert (found[1][name] is None) == (gradient is None), name
        if gradient is not None:
            torch.testing.assert_close(found[1][name], gradient, rtol=1e-6, atol=1e-9, msg=name)
    for name, buffer in expected[2].items():
        assert torch.equal(found[2][name], buffer), name


@pytest.mark.parametrize('way', ['full', *methods_for('PointMAE')])
@pytest.mark.parametrize('name', SMALL_BACKBONES)
@pytest.mark.parametrize('kind', ['mmengine', 'torch'])
def test_gradients(kind: str, name: str, way: str) -> None:
    """For every backbone and method, with dropout and drop-path, and with two forwards before the backward."""
    expected = run(build(name, way), seeds=(9, 10))
    assert all(gradient is not None for gradient in expected[1].values())
    model = build(name, way)
    KINDS[kind](model)
    assert_same(run(model, seeds=(9, 10)), expected)


@pytest.mark.parametrize('way', ['point_peft', 'lora'])
@pytest.mark.parametrize('name', ['PointGPT', 'PointM2AE'])
@pytest.mark.parametrize('kind', ['nested', 'reentrant'])
def test_gradients_of_other_kinds(kind: str, name: str, way: str) -> None:
    """Parts of blocks inside of recomputed blocks, and torch's wrapper of the older kind."""
    expected = run(build(name, way), seeds=(9, 10))
    model = build(name, way)
    KINDS[kind](model)
    assert_same(run(model, seeds=(9, 10)), expected)


@pytest.mark.parametrize('kind', ['mmengine', 'torch'])
def test_under_autocast(kind: str) -> None:
    """Mixed precision and recomputation together give what mixed precision gives."""
    with torch.autocast('cpu', dtype=torch.bfloat16):
        expected = run(build('PointMAE', 'point_peft').float())
    model = build('PointMAE', 'point_peft').float()
    KINDS[kind](model)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert_same(run(model), expected)


def test_whole_model() -> None:
    """A checkpoint around the tuned backbone itself, which then queries the bank again."""
    expected = run(build('PointMAE', 'point_peft'))
    model = build('PointMAE', 'point_peft')
    forward = model.backbone.forward
    model.backbone.forward = partial(checkpoint.checkpoint, forward, use_reentrant=False)
    assert_same(run(model), expected)


def test_linear_probe_keeps_no_graph() -> None:
    """Where nothing is trained in the blocks, recomputation does not make them part of the graph."""
    model = build('PointMAE', 'linear_probe')
    by_mmengine(model)
    assert not model.backbone(clouds().double()).patches.requires_grad


def test_evaluation_keeps_no_graph() -> None:
    """Nor in a forward without gradient, with which the weights of the blocks stay what they are."""
    model = build('PointMAE', 'lora').eval()
    expected = model(dict(points=clouds().double())).detach()
    by_mmengine(model)
    with torch.no_grad():
        found = model(dict(points=clouds().double()))
    assert torch.equal(found, expected) and not found.requires_grad


def test_nothing_outlives_the_graph() -> None:
    """What hooks remember of a forward goes with its graph, not at the next collection of garbage."""
    model = build('PointMAE', 'point_peft')
    by_torch(model, CheckpointImpl.NO_REENTRANT)
    method = model.backbone.methods[0]
    loss = model(dict(points=clouds().double())).square().sum()
    loss.backward()
    assert method.activity.recomputed() is not None
    gc.disable()
    try:
        del loss
        assert method.activity.recomputed() is None
    finally:
        gc.enable()
    assert method.activity.context is None


def test_plain_backbone_after_a_backward() -> None:
    """Called directly, the backbone inside stays plain, though the graph of a tuned forward is still there."""
    model = build('PointMAE', 'lora').float()
    by_torch(model, CheckpointImpl.NO_REENTRANT)
    output = model.eval()(dict(points=clouds()))
    output.square().sum().backward()
    assert torch.equal(model.backbone.backbone(clouds()).patches, build_plain()(clouds()).patches)
    assert output.requires_grad


def test_descriptor_in_the_middle_of_a_forward() -> None:
    """A hook that asks for the pre-trained descriptor gets the pre-trained one: no hook acts in there."""
    model = build_classifier([dict(type='LoRA', rank=2)])
    wrapper, seen = model.backbone, []
    method = wrapper.methods[0]
    method.on_output(
        wrapper.backbone.final_norm(),
        lambda _, x: (seen.append(method.context.pretrained_summary(method.context.tokens)), x)[1],
    )
    wrapper(clouds())
    plain = build_plain()
    assert torch.equal(seen[0], plain.summarize(plain.embed(clouds())))


class Carrier(TuningMethod):
    """Hands a value on from block to block, beside what it prepares for each forward."""

    def setup(self, backbone: PointMAE) -> None:
        """One map per block."""
        self.maps = nn.ModuleList(nn.Linear(48, 48) for _ in backbone.layers)

    def attach(self, backbone: PointMAE) -> None:
        """After every block."""
        for index, (block, layer) in enumerate(zip(backbone.layers, self.maps)):
            self.on_output(block, self._carry(index, layer))

    def begin(self, context: TuningContext) -> Tensor:
        """Start anew from the cloud."""
        return context.points.mean(dim=1).repeat(1, 16).unsqueeze(1)

    def _carry(self, index: int, layer: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        def act(_: Tensor, x: Tensor) -> Tensor:
            before = self.handed_to(index) if index else self.state
            after = torch.tanh(before + layer(x))
            self.hand_on(index + 1, after)
            return x + after

        return act


@pytest.fixture
def carrier() -> Iterator[None]:
    """The method above is known by name in one test only."""
    MODELS.register_module(module=Carrier)
    yield
    MODELS.module_dict.pop('Carrier')


@pytest.mark.parametrize('kind', ['mmengine', 'torch'])
def test_what_is_handed_on(carrier: None, kind: str) -> None:
    """A hook that runs again finds the method as it was, of the right forward and at the right block."""
    models = [build_classifier([dict(type='Carrier')]).train() for _ in range(2)]
    KINDS[kind](models[1])
    expected = run(models[0], seeds=(9, 10))
    assert_same(run(models[1], seeds=(9, 10)), expected)


def test_lost_graph_is_refused(carrier: None) -> None:
    """Torch's older kind, around a block and all that acts on it, gives what is handed on no gradient."""
    model = build_classifier([dict(type='Carrier')]).train()
    by_torch(model, CheckpointImpl.REENTRANT)
    with pytest.raises(ValueError, match=r'would lose its gradient .* use CheckpointImpl\.NO_REENTRANT'):
        run(model)
    with torch.no_grad():
        model(dict(points=clouds()))
