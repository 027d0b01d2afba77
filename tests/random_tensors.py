"""Random tensors, and functions of them compared with themselves in float64."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def random(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers, the same every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def with_gradients(function: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    """What a function gives, and the gradients of its inputs."""
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    found = function(*leaves)
    return [found.detach(), *torch.autograd.grad(found, leaves, random(*found.shape, seed=9).to(found.dtype))]


def assert_near(found: list[Tensor], expected: list[Tensor], atol: float) -> None:
    """Float32 is float64 but for rounding."""
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=atol)


def same_with_any_threads(function: Callable[[], list[Tensor]]) -> bool:
    """Whether a function gives the same bits with one thread and with three."""
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(function())
    finally:
        torch.set_num_threads(before)
    return all(torch.equal(one, other) for one, other in zip(*found, strict=True))
