"""Random numbers: seeds per epoch and process, and evaluations that leave no trace."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.registry import FUNCTIONS


def derive_seed(seed: int, epoch: int, rank: int) -> int:
    """Seed of one epoch on one process, without the overlaps that ``seed + epoch + rank`` has.

    Args:
        seed (int): Seed of the run.
        epoch (int): Epoch, from 0.
        rank (int): Number of the process.
    """
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1)[0])


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Give the random generators of python, numpy and torch back as they were."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


@FUNCTIONS.register_module()
def keep_worker_seed(worker_id: int) -> None:
    """``worker_init_fn`` that leaves a data-loading worker with torch's seed, which changes with every epoch.

    MMEngine's default gives a worker the same numbers in every epoch. Config:
    ``worker_init_fn=dict(type='keep_worker_seed')``.

    Args:
        worker_id (int): Number of the worker.
    """
