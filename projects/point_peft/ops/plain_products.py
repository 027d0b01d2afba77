"""Which products may be computed by something else than torch's own operators."""

from __future__ import annotations

import torch
from torch import Tensor

from .autocast import is_autocasting
from .c_library import is_plain
from .compiling import is_compiling, is_exporting


def is_plain_product(*operands: Tensor) -> bool:
    """Whether a product on a CPU is of float32 in memory, and nobody but autograd and ``torch.compile`` looks on.

    Autocast multiplies in bfloat16, exported and traced programs are made of torch's operators, and ``torch.func`` asks
    for rules of its own.
    """
    if is_exporting() or not all(is_plain(tensor) for tensor in operands) or is_autocasting('cpu'):
        return False
    if not is_compiling() and (torch.jit.is_tracing() or torch._C._are_functorch_transforms_active()):
        return False
    return all(tensor.dtype == torch.float32 for tensor in operands)
