"""Hook that measures what a training costs."""

from __future__ import annotations

import time

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ..runtime.memory import peak_memory

SECONDS, MEMORY = 'train_seconds', 'peak_memory_mb'
"""Keys in the message hub; the protocol's summary has them."""


@HOOKS.register_module()
class TrainingCostHook(Hook):
    """Adds up the seconds of the training epochs, without evaluation and what is before, and notes the peak memory.

    The sum goes on when a run is resumed. Memory is that of the CUDA device if there is one, else the largest resident
    size of the process, in MB (2**20 bytes).
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self) -> None:
        self._started = 0.0

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop it, when the device has finished."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        hub = runner.message_hub
        hub.update_info(SECONDS, hub.get_info(SECONDS, 0.0) + time.perf_counter() - self._started)
        hub.update_info(MEMORY, max(_peak_bytes() / 2**20, hub.get_info(MEMORY, 0.0)))


def _peak_bytes() -> int:
    """Most memory so far; 0 on a system that does not say."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_memory()
