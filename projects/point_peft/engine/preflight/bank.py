"""Whether a training will have the memory bank that it needs."""

from __future__ import annotations

from mmengine.runner import Runner

from ...registry.wrappers import unwrap
from ..hooks import MemoryBankHook
from ..memory_bank import check_bank


def check_bank_comes(runner: Runner) -> None:
    """Check that several processes that need a memory bank will have one when they start.

    A checkpoint to start from may bring it; that is known when it is loaded only.

    Args:
        runner (Runner): A runner that is about to train.

    Raises:
        ConfigError: The bank is empty, and nothing would fill it.
    """
    comes = runner._load_from or any(isinstance(hook, MemoryBankHook) for hook in runner.hooks)
    if not comes:
        check_bank(unwrap(runner.model))
