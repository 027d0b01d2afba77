"""What ``torch.compile`` and ``torch.export`` need: operations that they take whole, checks that do not branch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor

from ..io.errors import InvalidValueError

Function = TypeVar('Function', bound=Callable)

HAS_CUSTOM_OPERATORS = hasattr(torch.library, 'custom_op')
"""Since torch 2.4; before, nothing is compiled here."""


_OPAQUE: set[str] = set()
"""Names of operators of our own."""


def is_compiling() -> bool:
    """Whether ``torch.compile`` or ``torch.export`` traces this call, by a torch that has custom operators."""
    return HAS_CUSTOM_OPERATORS and torch.compiler.is_compiling()


def is_exporting() -> bool:
    """Whether it is ``torch.export`` that traces: ONNX knows operators of torch, and few of ours."""
    return HAS_CUSTOM_OPERATORS and getattr(torch.compiler, 'is_exporting', bool)()


def is_differentiated() -> bool:
    """Within a backward: whether it will be differentiated itself (``create_graph``); no kernel is made for that."""
    return torch.is_grad_enabled() and not is_compiling()


def differentiable_gradients(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], gradient: Tensor, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Within a backward that :func:`is_differentiated`: what inputs get of a gradient, as a graph of torch's operators.

    Args:
        function (Callable): The plain form of what was computed, of all inputs.
        inputs (Sequence[Tensor]): As the forward saw them.
        gradient (Tensor): Of its result.
        wanted (Sequence[bool]): Which inputs get one.

    Returns:
        list[Tensor | None]: A gradient for each input, or None.
    """
    asked = [tensor for tensor, wants in zip(inputs, wanted) if wants]
    with torch.enable_grad():
        found = function(*inputs)
    slopes = iter(torch.autograd.grad(found, asked, gradient, create_graph=True))
    return [next(slopes) if wants else None for wants in wanted]


def opaque(schema: str, outputs: Callable) -> Callable[[Function], Function]:
    """Make a function a single operator ``point_peft::NAME`` of the graphs of ``torch.compile`` and ``torch.export``.

    For loops over picks or chunks: unrolled, they make a graph of thousands of nodes, and the number of chunks would
    tie it to one batch size. Eager code calls the function itself, so that tracers which know no operators of ours
    (``torch.jit.trace``, and the ONNX exporter that builds on it) see plain torch.

    Args:
        schema (str): Types of arguments and results, as ``(Tensor points, SymInt count) -> Tensor``.
        outputs (Callable): From the same arguments, empty results of the right shape and type. Results are contiguous,
            and have no gradient of their own.

    Raises:
        ValueError: An operator of this name is there already.
    """

    def register(function: Function) -> Function:
        if not HAS_CUSTOM_OPERATORS:
            return function
        name = function.__name__.strip('_')
        if name in _OPAQUE:  # torch would take the later one for both
            raise InvalidValueError(f'there is an operator point_peft::{name} already; rename this one.')
        _OPAQUE.add(name)
        torch.library.custom_op(
            f'point_peft::{name}', function, mutates_args=(), schema=schema
        ).register_fake(outputs)
        operator = getattr(torch.ops.point_peft, name).default

        @functools.wraps(function)
        def call(*args: object, **kwargs: object) -> object:
            return operator(*args, **kwargs) if is_compiling() else function(*args, **kwargs)

        return cast(Function, call)

    return register


def all_inside(index: Tensor, size: int) -> bool:
    """Whether all of ``index`` is in ``[0, size)``.

    A compiled graph cannot branch on that. There it says yes, and the graph stops with a RuntimeError if it is not so.
    """
    if is_compiling():
        torch._assert_async(((index >= 0) & (index < size)).all(), f'an index is outside [0, {size})')
        return True
    if not index.numel():
        return True
    low, high = index.aminmax()
    return bool(low >= 0) and bool(high < size)


def indices(points: Tensor, *shape: int) -> Tensor:
    """An empty int64 tensor (B, *shape) for indices into each cloud of ``points`` (B, ...)."""
    return points.new_empty(points.shape[0], *shape, dtype=torch.int64)
