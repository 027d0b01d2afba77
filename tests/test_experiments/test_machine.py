"""Whether measured times can be believed."""

from __future__ import annotations

import os

import pytest

from point_peft.experiments.machine import Machine

STEADY = dict(
    full=dict(train_step_spread=0.02, infer_spread=0.05), lora=dict(train_step_spread=0.1, infer_spread=0)
)


def test_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine as it is before the measurement."""
    monkeypatch.setattr(os, 'getloadavg', lambda: (1.5, 0.0, 0.0))
    machine = Machine.now('cpu')
    assert machine.processor and machine.cores >= 1 and machine.load == 1.5 and machine.gpu is None


@pytest.mark.parametrize('load', [None, 0.0, 0.3])
def test_a_quiet_machine(load: float | None) -> None:
    """Nothing to say."""
    assert Machine('x', 2, load, None, '2').doubts(STEADY) == []


def test_doubts() -> None:
    """Other programs, and times that vary; the config that varies most is named."""
    wild = {**STEADY, 'dora': dict(train_step_spread=0.05, infer_spread=0.456)}
    busy, varying = Machine('x', 2, 3.14159, None, '2').doubts(wild)
    assert 'load average 3.1' in busy
    assert 'the times of dora spans 46% of their median' in varying
