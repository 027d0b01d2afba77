"""How many operations a step launches, how many of them make the host wait, and what its processes exchange."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from types import CodeType, FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from ..heads import PointClsHead
from ..io.errors import PointPEFTError
from ..methods.training_views import KeptRows
from ..ops.compiling import all_inside

WAITS = frozenset(
    (
        '_local_scalar_dense',  # .item(), float(), bool()
        'is_nonzero',
        'equal',
        'nonzero',
        'masked_select',
        '_unique',
        '_unique2',
        'unique_dim',
        'unique_consecutive',
        'unique_dim_consecutive',
        'bincount',
        '_linalg_check_errors',
    )
)
"""Operations whose result is on the host, or has a shape that depends on values."""

NOTHING_COMPUTED = frozenset(('_local_scalar_dense', '_unsafe_view', 'resize_', 'set_', 'is_same_size'))
"""Operations beside views and ``empty`` that move or read at most a number."""

CHECKS_OF_A_CPU = frozenset(
    function.__code__ for function in (all_inside, PointClsHead._labels, KeptRows.have)
)
"""Functions that ask for values only where nothing has to be waited for: on a CPU, or of what is on the host."""

INDEXING = ('index', 'index_put', 'index_put_', '_index_put_impl_')

PASSES = {'allreduce_': 2, 'allreduce_coalesced_': 2, 'allgather_': 1, '_allgather_base_': 1, 'broadcast_': 1}
"""How often an exchange sends (W - 1) / W of its tensors from each of W processes in a ring."""


class OperationCounter(TorchDispatchMode):
    """Counts the operations that are executed, forward and backward, below autograd.

    An operation computes unless it is a view or makes memory only; ``waits`` are those that stop the host until the
    device has come so far. On a CPU nothing waits, and those are counted that would; the checks of values that are made
    on a CPU alone are left out.

    Args:
        device (str): Kind of device whose operations count, ``cpu`` or ``cuda``.
        on_host (Collection[Tensor]): Tensors that are on the host whatever the device is, as the steps that an
            optimizer counts; what is done to them does not count.

    Attributes:
        computing (Counter): Number of calls by name of the operation.
        waits (Counter): The same of those that wait.
    """

    def __init__(self, device: str = 'cpu', on_host: Collection[Tensor] = ()) -> None:
        super().__init__()
        self.device = device
        self.computing: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self._on_host = {id(tensor) for tensor in on_host}

    def note_kernel(self, name: str) -> None:
        """Count a kernel of our own, of which torch does not know."""
        self.computing[name] += 1

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Execute an operation and count it."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        tensors = list(_tensors((args, tuple(kwargs.values()), result)))
        if any(id(tensor) in self._on_host for tensor in tensors) or _called_by(CHECKS_OF_A_CPU):
            return result
        if any(tensor.device.type == self.device for tensor in tensors):
            name = func._schema.name.partition('::')[2]
            self.computing[name] += _computes(func, name)
            self.waits[name] += _waits(name, args, kwargs, result)
        return result


class ExchangeCounter(TorchDispatchMode):
    """Counts what the processes exchange: gradients, and what batch norms and losses say to each other.

    Attributes:
        sent (float): Bytes that this process sends, if the processes are a ring.
        exchanges (int): Number of collective operations.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0.0
        self.exchanges = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Execute an operation, and count it if it is an exchange."""
        library, _, name = func._schema.name.partition('::')
        if library == 'c10d':
            if name not in PASSES:
                raise PointPEFTError(f'a step exchanges by {name}, whose bytes cannot be counted yet.')
            count = dist.get_world_size()
            self.sent += (
                PASSES[name] * (count - 1) / count * sum(tensor.nbytes for tensor in _tensors([args[0]]))
            )
            self.exchanges += 1
        return func(*args, **(kwargs or {}))


def count_operations(
    action: Callable[[], Any], device: str, on_host: Collection[Tensor] = ()
) -> tuple[int, int]:
    """Operations that one call launches, and those that make the host wait.

    On CUDA an operation is a launched kernel, so that one that launches several counts as often.

    Args:
        action (Callable): What is counted.
        device (str): Where it computes.
        on_host (Collection[Tensor]): See :class:`OperationCounter`.
    """
    kind = torch.device(device).type
    with OperationCounter(kind, on_host) as counter:
        action()
    launched = _launched_kernels(action) if kind == 'cuda' else counter.computing.total()
    return launched, counter.waits.total()


def _launched_kernels(action: Callable[[], Any]) -> int:
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        action()
        torch.cuda.synchronize()
    return sum(event.count for event in profiler.key_averages() if 'LaunchKernel' in event.key)


def _called_by(functions: Collection[CodeType]) -> bool:
    """Whether one of the functions is being executed."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code in functions:
            return True
        frame = frame.f_back
    return False


def _computes(func: Any, name: str) -> bool:
    if name in NOTHING_COMPUTED or 'empty' in name:
        return False
    aliases = [argument.alias_info for argument in func._schema.arguments if argument.alias_info]
    return not aliases or any(alias.is_write for alias in aliases)


def _waits(name: str, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> bool:
    if name in INDEXING:
        # One value for all places of a mask is filled in; any other use of a mask asks where they are.
        filled = name != 'index' and args[2].numel() == 1
        return not filled and any(tensor.dtype in (torch.bool, torch.uint8) for tensor in _tensors(args[1]))
    if name == 'repeat_interleave':
        return kwargs.get('output_size') is None
    if name in ('_to_copy', 'copy_'):
        places = {tensor.device.type for tensor in _tensors((args, result))}
        return len(places) > 1 and not (kwargs.get('non_blocking') or args[2:] == (True,))
    return name in WAITS


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of nested lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _tensors(entry)
