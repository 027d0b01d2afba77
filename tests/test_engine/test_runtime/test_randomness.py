from __future__ import annotations

import random

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.registry import FUNCTIONS

from point_peft.engine.runtime.randomness import derive_seed, keep_worker_seed, preserved_rng


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_rng_is_given_back() -> None:
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    wanted = draw()
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    with preserved_rng():
        assert draw() == wanted
        draw()
    assert draw() == wanted


def test_rng_is_given_back_after_an_error() -> None:
    state = torch.get_rng_state(), random.getstate()
    try:
        with preserved_rng():
            draw()
            raise KeyError
    except KeyError:
        pass
    assert torch.equal(torch.get_rng_state(), state[0])
    assert random.getstate() == state[1]


@given(st.tuples(*[st.integers(0, 2**20)] * 3), st.tuples(*[st.integers(0, 2**20)] * 3))
def test_seeds_differ(a: tuple[int, int, int], b: tuple[int, int, int]) -> None:
    assert (derive_seed(*a) == derive_seed(*b)) == (a == b)
    assert 0 <= derive_seed(*a) < 2**32


def test_no_overlap_of_epochs_and_processes() -> None:
    assert len({derive_seed(0, epoch, rank) for epoch in range(50) for rank in range(8)}) == 400


def test_worker_keeps_its_seed() -> None:
    torch.manual_seed(5)
    keep_worker_seed(3)
    assert torch.initial_seed() == 5
    assert FUNCTIONS.get('keep_worker_seed') is keep_worker_seed
