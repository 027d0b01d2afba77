"""Whether measured times can be believed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from point_peft.experiments import machine as module
from point_peft.experiments.machine import Machine, Measurement

STEADY = dict(
    full=dict(train_step_spread=0.02, infer_spread=0.05), lora=dict(train_step_spread=0.1, infer_spread=0)
)
STAT = """cpu  1 2 3 4 5 6 7 8 9 9
cpu0 {user} 10 20 100000 500 3 4 5 77 88
cpu1 {user} 10 20 100000 500 3 4 5 77 88
cpu2 999999{user} 0 0 0 0 0 0 0 0 0
intr 12345
"""


class Clocks:
    """A system with three cores, of which this process may use two, and clocks that a test turns."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file, self.wall, self.own = folder / 'stat', 100.0, [1.0, 2.0, 3.0, 4.0, 100.0]
        self.turn(user=1000)
        monkeypatch.setattr(module, '_STAT', self.file)
        monkeypatch.setattr(module, 'own_cores', lambda: {0, 1})
        monkeypatch.setattr(os, 'sysconf', lambda name: 100)
        monkeypatch.setattr(os, 'times', lambda: tuple(self.own))
        monkeypatch.setattr(time, 'perf_counter', lambda: self.wall)

    def turn(self, user: int) -> None:
        """Hundredths of a second of each core."""
        self.file.write_text(STAT.format(user=user))


@pytest.fixture
def clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """Before a measurement."""
    return Clocks(tmp_path, monkeypatch)


def test_what_others_took(clocks: Clocks) -> None:
    """10 s of two cores, 16 s of them busy: 12 s of this process and its children, 4 s of others."""
    measurement = Measurement()
    clocks.wall += 10
    clocks.turn(user=1800)
    clocks.own[0] += 7
    clocks.own[3] += 5
    machine = Machine.of(measurement, 'cpu')
    assert machine.others == pytest.approx(0.2) and machine.cores == 2
    assert machine.processor and machine.gpu is None


def test_an_earlier_measurement_does_not_count(clocks: Clocks) -> None:
    """What was busy before it is no doubt, nor are ticks that were counted late."""
    clocks.turn(user=900000)
    measurement = Measurement()
    clocks.wall += 10
    clocks.own[0] += 0.01
    assert measurement.others() == 0


@pytest.mark.parametrize('content', [None, 'cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n'])
def test_a_system_that_does_not_say(content: str | None, clocks: Clocks) -> None:
    """No such file, or one of zeros."""
    clocks.file.unlink()
    if content:
        clocks.file.write_text(content)
    measurement = Measurement()
    clocks.wall += 1
    assert measurement.others() is None


@pytest.mark.parametrize('others', [None, 0.0, 0.05])
def test_a_quiet_machine(others: float | None) -> None:
    """Nothing to say."""
    assert Machine('x', 2, others, None, '2').doubts(STEADY) == []


def test_doubts() -> None:
    """Other programs, and times that vary; the config that varies most is named."""
    wild = {**STEADY, 'dora': dict(train_step_spread=0.05, infer_spread=0.456)}
    busy, varying = Machine('x', 2, 0.314, None, '2').doubts(wild)
    assert 'other programs took 31% of the processor' in busy
    assert 'the times of dora spans 46% of their median' in varying
