"""Comparing a compiled model with the same model uncompiled."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from small_models import NUM_CLASSES, clouds, state_of
from torch import Tensor, nn
from torch.nn import functional as F

from point_peft.ops.opaque import HAS_CUSTOM_OPERATORS

needs_compiler = pytest.mark.skipif(not HAS_CUSTOM_OPERATORS, reason='compiling needs torch 2.4')

State = dict[str, Tensor]


def training_step(model: nn.Module, forward: nn.Module, points: Tensor) -> tuple[Tensor, State, State]:
    """Logits, gradients and the state of ``model`` after one step of ``forward``, which is it, maybe compiled."""
    torch.manual_seed(0)  # of stochastic depth and dropout
    model.zero_grad(set_to_none=True)
    logits = forward(dict(points=points))
    F.cross_entropy(logits, torch.arange(points.shape[0]) % NUM_CLASSES).backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return logits.detach(), gradients, state_of(model)


def check_compiled_training(model: nn.Module, backend: str = 'aot_eager', **tolerance: float) -> None:
    """Compile a model as one graph for all batch sizes, and train it for a step on two of them, beside its copy.

    Args:
        model (nn.Module): A classifier in training mode.
        backend (str): Of ``torch.compile``.
        tolerance (float): ``rtol`` and ``atol``; without them all bits must be equal.
    """
    torch._dynamo.reset()
    plain = deepcopy(model)
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    exact = tolerance or dict(rtol=0, atol=0)
    for batch, stance in ((4, 'default'), (6, 'fail_on_recompile')):
        points = clouds(batch, seed=batch)
        expected = training_step(plain, plain, points)
        torch._dynamo.mark_dynamic(points, 0)
        with torch.compiler.set_stance(stance):
            found = training_step(model, compiled, points)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, **exact)
        assert expected[1]
