"""What the blocks save for the backward, kept in bfloat16: the same forward, gradients that differ by rounding."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from small_models import BACKBONE, METHODS, SMALL_BACKBONES, build_classifier, fill_bank, methods_for
from stored_models import POINTS
from torch import Tensor, nn

from point_peft.io.errors import InvalidValueError
from point_peft.methods import PEFTBackbone, saved_tensors
from point_peft.methods.saved_tensors import DTYPES, LEAST_NUMBERS, saved_in
from point_peft.models import PointClassifier

SIZE = 256
assert SIZE**2 >= LEAST_NUMBERS


def rounding(model: PointClassifier) -> PointClassifier:
    """The same model, saving in bfloat16."""
    model = deepcopy(model)
    model.backbone.saved_dtype = 'bfloat16'
    return model


def patches(model: PointClassifier) -> tuple[Tensor, Tensor]:
    """Patch tokens, and the gradients of what is trained as one vector, of a random sum of them."""
    torch.manual_seed(0)
    found = model.backbone(POINTS).patches
    model.zero_grad()
    (found * torch.randn(found.shape)).sum().backward()
    return found.detach(), torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize('method', ['point_peft', 'adapter', 'lora'])
@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_the_same_but_for_the_rounding_of_gradients(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens are the same bits; gradients point where they pointed, and are the same without the rounding."""
    monkeypatch.setattr(saved_tensors, 'LEAST_NUMBERS', 2**10)  # these models are small
    model = build_classifier(methods_for(name)[method], name=name).train()
    fill_bank(model)
    (expected, gradient), (found, other) = (patches(one) for one in (model, rounding(model)))
    assert torch.equal(found, expected)
    assert not torch.equal(gradient, other)
    if (
        method != 'lora'
    ):  # sends all of its gradients through an attention that is sharper here than in trained models
        assert (gradient - other).norm() < 0.01 * gradient.norm()
    monkeypatch.setitem(DTYPES, 'bfloat16', torch.float32)
    assert torch.equal(patches(rounding(model))[1], gradient)


def test_nothing_changes_where_nothing_is_saved() -> None:
    """In evaluation, and in tensors of float64."""
    model = build_classifier(METHODS['point_peft'])
    fill_bank(model)
    with torch.no_grad():
        assert torch.equal(rounding(model)(dict(points=POINTS)), model(dict(points=POINTS)))
    x = torch.randn(SIZE, SIZE, dtype=torch.float64, requires_grad=True)
    with saved_in('bfloat16'):
        found = (x * x).sum()
    assert torch.equal(torch.autograd.grad(found, x)[0], 2 * x)


class Keeper(torch.autograd.Function):
    """Saves a tensor, and gives it back as a gradient."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, kept: Tensor) -> Tensor:
        ctx.save_for_backward(kept)
        return x.clone()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, _: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return kept, None


def given_back(*tensors: Tensor) -> list[Tensor]:
    """What the backward finds of tensors that were saved."""
    leaves = [torch.zeros_like(tensor).requires_grad_() for tensor in tensors]
    with saved_in('bfloat16'):
        results = [Keeper.apply(leaf, tensor) for leaf, tensor in zip(leaves, tensors)]
    return [torch.autograd.grad(result.sum(), leaf)[0] for result, leaf in zip(results, leaves)]


def test_weights_and_small_tensors_are_saved_as_they_are() -> None:
    """Also a weight's transpose and its parts; activations are rounded, whatever their strides."""
    weight = nn.Parameter(torch.randn(SIZE, 2 * SIZE))
    weight.requires_grad_(False)
    small, large = torch.randn(LEAST_NUMBERS - 1), torch.randn(SIZE, SIZE)
    kept = (weight, weight.T, weight[:, :SIZE], small)
    assert all(torch.equal(found, tensor) for found, tensor in zip(given_back(*kept), kept))
    for tensor in (large, large.T, torch.randn(SIZE, 2 * SIZE)[:, ::2]):
        (found,) = given_back(tensor)
        assert torch.equal(found, tensor.bfloat16().float()) and not torch.equal(found, tensor)


def test_a_tensor_that_changes_is_saved_again() -> None:
    """Every operation finds what it saw: after a change in place, and in memory that another tensor had before."""
    x, expected, results, leaves = torch.randn(SIZE, SIZE), [], [], []
    with saved_in('bfloat16'):
        for number in range(20):
            if number % 2:
                x.add_(1)
            else:
                x = torch.randn(SIZE, SIZE)  # likely where the last one was
            leaves.append(torch.zeros_like(x).requires_grad_())
            results.append(Keeper.apply(leaves[-1], x))
            expected.append(x.bfloat16().float())
    for result, leaf, right in zip(results, leaves, expected):
        assert torch.equal(torch.autograd.grad(result.sum(), leaf)[0], right)


def test_a_tensor_is_rounded_once() -> None:
    """However many operations save it; and it is let go."""
    x = torch.randn(SIZE, SIZE)
    counted: list[Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        to = Tensor.to
        patch.setattr(Tensor, 'to', lambda self, *args: counted.append(self) or to(self, *args))
        with saved_in('bfloat16'):
            for _ in range(3):
                Keeper.apply(torch.zeros_like(x).requires_grad_(), x)
    assert len(counted) == 1


def test_refused() -> None:
    """Other precisions, and compiled trainings, which choose themselves what they save."""
    with pytest.raises(
        InvalidValueError, match="saved_dtype='float16' of PEFTBackbone is unknown; use 'bfloat16'"
    ):
        PEFTBackbone(BACKBONE, METHODS['lora'], saved_dtype='float16')
    with pytest.raises(InvalidValueError, match=r'model\.peft\.saved_dtype would do nothing'):
        rounding(build_classifier(METHODS['lora'])).compile_training()
