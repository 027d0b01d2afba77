"""What may be installed beside torch, for the operations to choose from."""

from __future__ import annotations

import functools
import importlib
import logging
import subprocess
from types import ModuleType

import torch
from mmengine.logging import print_log
from torch import Tensor

UNUSABLE = (ImportError, OSError, RuntimeError, AttributeError)
"""What the import of a package raises that was built for another torch or another machine."""


def kernels_for(points: Tensor) -> ModuleType | None:
    """Our kernels in Triton, where points are float32 on a CUDA device and Triton works; else None."""
    return triton_kernels() if points.is_cuda and points.dtype == torch.float32 else None


@functools.cache
def triton_kernels() -> ModuleType | None:
    """Our kernels in Triton, or None where Triton is absent or compiles nothing for this device; for CUDA alone.

    Triton needs a C compiler and a GPU that it knows, which only a first launch tells.
    """
    if optional_module('triton') is None:
        return None
    kernels = importlib.import_module(f'{__package__}.triton_kernels')
    try:
        kernels.greedy_order_triton(torch.zeros(1, 2, 3, device='cuda'))
    except (*UNUSABLE, *kernels.COMPILATION_ERRORS) as error:
        _warn(f'Triton is installed but compiles nothing here ({error}), so point operations use plain torch')
        return None
    return kernels


def c_kernels_for(table: Tensor) -> ModuleType | None:
    """Our kernels in C, where tokens are float32 on a CPU and a compiler is at hand; else None.

    What records the operations of torch (``torch.jit.trace``, counters of FLOPs) sees nothing of what is done in C,
    so it gets the plain forms.
    """
    recorded = torch.jit.is_tracing() or torch._C._len_torch_dispatch_stack() > 0
    if table.device.type != 'cpu' or table.dtype != torch.float32 or recorded:
        return None
    return c_kernels()


@functools.cache
def c_kernels() -> ModuleType | None:
    """Our kernels in C, compiled now if they never were; None where they are not meant for or no compiler is.

    One that fails earns a warning.
    """
    kernels = importlib.import_module(f'{__package__}.region_kernels')
    if kernels.compiler() is None:
        return None
    try:
        kernels.library()
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, 'stderr', None) or error
        _warn(
            f'{kernels.SOURCE.name} does not compile here ({reason}), so regions are computed by plain torch'
        )
        return None
    return kernels


def optional_module(name: str) -> ModuleType | None:
    """Import a back end; absent is normal, installed but broken (built for another torch) earns a warning."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None
    except UNUSABLE as error:
        _warn(
            f'{name} is installed but does not load ({error}), so point operations use plain torch; '
            f'reinstall {name} for torch {torch.__version__}'
        )
        return None


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
