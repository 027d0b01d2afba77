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

from . import attention_kernels, bottleneck_kernels, point_kernels, region_kernels, thin_kernels
from .c_library import compiler, is_plain, is_watched, library

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


def region_kernels_for(table: Tensor) -> ModuleType | None:
    """Our kernels in C for regions, where tokens are float32 on a CPU and a compiler is at hand; else None."""
    return region_kernels if _suits_c(table) else None


def point_kernels_for(points: Tensor) -> ModuleType | None:
    """Our kernels in C for points, as :func:`region_kernels_for`."""
    return point_kernels if _suits_c(points) else None


def thin_kernels_for(tensor: Tensor) -> ModuleType | None:
    """Our kernels in C for products with thin matrices, as :func:`region_kernels_for`."""
    return thin_kernels if _suits_c(tensor) else None


def attention_kernels_for(tensor: Tensor) -> ModuleType | None:
    """Our kernels in C for attention over whole sequences, as :func:`region_kernels_for`."""
    return attention_kernels if _suits_c(tensor) else None


def bottleneck_kernels_for(tensor: Tensor) -> ModuleType | None:
    """Our kernels in C for narrow bottlenecks, as :func:`region_kernels_for`."""
    return bottleneck_kernels if _suits_c(tensor) else None


def _suits_c(tensor: Tensor) -> bool:
    """Whether a kernel in C takes it, and works.

    What records the operations of torch (``torch.jit.trace``, counters of FLOPs) sees nothing of what is done in C, so
    it gets the plain forms, unless it says with a ``note_kernel`` that it wants to know of kernels. So do tensors that
    stand for others (``torch.func``, DTensor), in which there is nothing to read.
    """
    if tensor.dtype != torch.float32 or not is_plain(tensor):
        return False
    if torch.jit.is_tracing() or torch._C._are_functorch_transforms_active():
        return False
    return not is_watched() and c_works()


@functools.cache
def c_works() -> bool:
    """Whether our kernels in C are compiled, now if they never were.

    Not being meant for this machine and having no compiler is normal; one that fails earns a warning.
    """
    if compiler() is None:
        return False
    try:
        library(region_kernels.SOURCE, region_kernels.FLAGS)
        library(point_kernels.SOURCE, point_kernels.FLAGS)
        library(thin_kernels.SOURCE)
        library(attention_kernels.SOURCE, attention_kernels.FLAGS)
        library(bottleneck_kernels.SOURCE)
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, 'stderr', None) or error
        _warn(f'our kernels in C do not compile here ({reason}), so plain torch does their work')
        return False
    return True


@torch.compiler.assume_constant_result
def c_is_usable() -> bool:
    """:func:`c_works`, as ``torch.compile`` can ask while it traces."""
    return c_works()


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
