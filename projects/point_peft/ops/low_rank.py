"""Products with low-rank matrices, each in one pass over the tokens where they are thin and on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from . import thin_kernels
from .backends import thin_kernels_for
from .c_library import is_plain
from .compiling import is_differentiated, is_exporting, opaque
from .linear import is_for_onednn, linear
from .plain_products import is_plain_product


def project_down(x: Tensor, weight: Tensor) -> Tensor:
    """Project to a few channels: ``F.linear(x, weight)``.

    Args:
        x (Tensor): ``(..., C)``.
        weight (Tensor): ``(R, C)``.

    Returns:
        Tensor: ``(..., R)``.
    """
    if _in_one_pass(x, weight):
        return _ProjectDown.apply(x.flatten(0, -2), weight).unflatten(0, x.shape[:-1])
    return F.linear(x, weight)


def add_projected_up(x: Tensor, hidden: Tensor, weight: Tensor) -> Tensor:
    """Add what a few channels give: ``x + F.linear(hidden, weight)``.

    Args:
        x (Tensor): ``(..., C)``.
        hidden (Tensor): ``(..., R)``.
        weight (Tensor): ``(C, R)``.

    Returns:
        Tensor: ``(..., C)``.
    """
    fits = (*x.shape[:-1], weight.shape[-1]) == hidden.shape
    if fits and _in_one_pass(x, weight.T, hidden):
        added = _AddProjectedUp.apply(x.flatten(0, -2), hidden.flatten(0, -2), weight)
        return added.unflatten(0, x.shape[:-1])
    return x + F.linear(hidden, weight)


def products_with_rows(queries: Tensor, rows: Tensor) -> Tensor:
    """Products of a few queries with many rows, each of which is read once: ``queries @ rows.T``.

    Args:
        queries (Tensor): ``(B, C)``.
        rows (Tensor): ``(N, C)``.

    Returns:
        Tensor: ``(B, N)``.
    """
    differentiated = torch.is_grad_enabled() and (queries.requires_grad or rows.requires_grad)
    if differentiated or is_exporting() or not (is_plain(queries) and is_plain(rows)):
        return queries @ rows.T
    return _products_with_rows_on_cpu(queries, rows)


def _in_one_pass(x: Tensor, weight: Tensor, *others: Tensor) -> bool:
    """Whether tokens (..., C) and a weight (R, C) are for our kernels; what does not fit is for torch to refuse."""
    if not is_plain_product(x, weight, *others):
        return False
    fits = x.dim() > 1 and x.numel() > 0 and weight.dim() == 2 and x.shape[-1] == weight.shape[1]
    return fits and thin_kernels.can_multiply(channels=weight.shape[1], rank=weight.shape[0])


class _ProjectDown(torch.autograd.Function):
    """The projection on flat tensors: x (M, C), weight (R, C)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """Project."""
        ctx.save_for_backward(x, weight)
        return _project(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Send the gradient (M, R) to x and the weight."""
        x, weight = ctx.saved_tensors
        if is_differentiated():
            return gradient @ weight, gradient.T @ x
        return (
            _expand(None, gradient, weight) if ctx.needs_input_grad[0] else None,
            _sum_products(x, gradient) if ctx.needs_input_grad[1] else None,
        )


class _AddProjectedUp(torch.autograd.Function):
    """The sum on flat tensors: x (M, C), hidden (M, R), weight (C, R)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, hidden: Tensor, weight: Tensor) -> Tensor:
        """Add."""
        ctx.save_for_backward(hidden, weight)
        return _expand(x, hidden, weight.T)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Send the gradient (M, C) to all of them."""
        hidden, weight = ctx.saved_tensors
        if is_differentiated():
            return gradient, gradient @ weight, gradient.T @ hidden
        of_hidden, of_weight = _project_and_sum(gradient, weight.T, hidden)
        return gradient, of_hidden, of_weight.T


@opaque(
    '(Tensor many, Tensor weight) -> Tensor',
    lambda many, weight: many.new_empty(many.shape[0], weight.shape[0]),
)
def _project(many: Tensor, weight: Tensor) -> Tensor:
    kernels = thin_kernels_for(many)
    return kernels.project(many, weight) if kernels else many @ weight.T


@opaque(
    '(Tensor? many, Tensor thin, Tensor across) -> Tensor',
    lambda _, thin, across: thin.new_empty(thin.shape[0], across.shape[1]),
)
def _expand(many: Tensor | None, thin: Tensor, across: Tensor) -> Tensor:
    kernels = thin_kernels_for(thin)
    if kernels:
        return kernels.expand(many, thin, across)
    return thin @ across if many is None else torch.addmm(many, thin, across)


@opaque(
    '(Tensor many, Tensor thin) -> Tensor', lambda many, thin: many.new_empty(thin.shape[1], many.shape[1])
)
def _sum_products(many: Tensor, thin: Tensor) -> Tensor:
    kernels = thin_kernels_for(many)
    return kernels.sum_products(many, thin) if kernels else thin.T @ many


@opaque(
    '(Tensor many, Tensor weight, Tensor thin) -> (Tensor, Tensor)',
    lambda many, weight, thin: (many.new_empty(thin.shape), many.new_empty(weight.shape)),
)
def _project_and_sum(many: Tensor, weight: Tensor, thin: Tensor) -> tuple[Tensor, Tensor]:
    kernels = thin_kernels_for(many)
    return kernels.project_and_sum(many, weight, thin) if kernels else (many @ weight.T, thin.T @ many)


@opaque(
    '(Tensor queries, Tensor rows) -> Tensor',
    lambda queries, rows: rows.new_empty(queries.shape[0], rows.shape[0]),
)
def _products_with_rows_on_cpu(queries: Tensor, rows: Tensor) -> Tensor:
    kernels = thin_kernels_for(rows) and thin_kernels_for(queries)
    if kernels and queries.shape[1] == rows.shape[1] and kernels.can_multiply(rows.shape[1], len(queries)):
        return kernels.project(rows, queries).T.contiguous()
    if is_for_onednn(rows, queries):  # which is for many rows and few columns, MKL for the reverse
        return linear(rows, queries).T.contiguous()
    return queries @ rows.T
