"""Whether a module runs for the first time, or again to save memory."""

from __future__ import annotations

import torch

from ...ops.compiling import is_compiling


def is_recomputation() -> bool:
    """Whether this is called during a backward: activation checkpointing runs a part of the network again.

    The random state is then that of the first time, so dropout and drop-path fall alike; but what a forward leaves
    behind, such as running statistics, must not be left behind twice.
    """
    if is_compiling():
        return False
    return torch._C._current_graph_task_id() != -1  # as torch.utils.checkpoint asks; -1 outside of a backward
