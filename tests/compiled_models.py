"""Comparing a compiled model with the same model uncompiled."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from small_models import NUM_CLASSES, SMALL_BACKBONES, clouds, logits, state_of
from torch import Tensor, nn
from torch.nn import functional as F

from point_peft.ops.compiling import HAS_CUSTOM_OPERATORS

needs_compiler = pytest.mark.skipif(not HAS_CUSTOM_OPERATORS, reason='compiling needs torch 2.4')

SHALLOW: dict[str, dict[str, Any]] = {
    name: dict(depth=2) if 'depth' in config else dict(depths=(1, 1, 1))
    for name, config in SMALL_BACKBONES.items()
}
"""Changes to the small backbones, by name: compiling takes seconds per block."""

State = dict[str, Tensor]


def training_step(model: nn.Module, forward: nn.Module, points: Tensor) -> tuple[Tensor, State, State]:
    """Logits, gradients and the state of ``model`` after one step of ``forward``, which is it, maybe compiled."""
    torch.manual_seed(0)  # of stochastic depth and dropout
    model.zero_grad(set_to_none=True)
    predicted = forward(dict(points=points))
    F.cross_entropy(predicted, torch.arange(points.shape[0]) % NUM_CLASSES).backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return predicted.detach(), gradients, state_of(model)


def check_compiled_training(model: nn.Module, *batches: int) -> None:
    """Compile a model as one graph, and train it for a step beside a copy of itself: all bits are equal.

    Args:
        model (nn.Module): A classifier in training mode.
        batches (int): Batch sizes, one step each; if there are several, one graph must do for all.
    """
    torch._dynamo.reset()
    plain = deepcopy(model)
    compiled = torch.compile(model, backend='aot_eager', fullgraph=True)
    for number, batch in enumerate(batches):
        points = clouds(batch, seed=batch)
        expected = training_step(plain, plain, points)
        if len(batches) > 1:
            torch._dynamo.mark_dynamic(points, 0)
        with torch.compiler.set_stance('fail_on_recompile' if number else 'default'):
            found = training_step(model, compiled, points)
        assert expected[1]
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


def export(model: nn.Module) -> torch.export.ExportedProgram:
    """Export a classifier in eval mode for all batch sizes."""
    shapes = dict(points={0: torch.export.Dim('batch')})
    with torch.no_grad():
        return torch.export.export(model, (dict(points=clouds(4)),), dynamic_shapes=(shapes,))


def check_export(model: nn.Module, atol: float = 1e-6) -> None:
    """Compare the logits of a classifier with those of the exported one on two batch sizes.

    Args:
        model (nn.Module): In eval mode.
        atol (float): Larger where eager code has kernels of its own, which round otherwise than torch's operators.
    """
    exported = export(model).module()
    for batch in (4, 7):
        points = clouds(batch, seed=batch)
        torch.testing.assert_close(exported(dict(points=points)), logits(model, points), rtol=0, atol=atol)
