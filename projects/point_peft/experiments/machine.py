"""The machine that costs were measured on, and whether it was quiet."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

QUIET_SHARE = 0.05
"""Share of the cores' time that others may take."""

STEADY_SPREAD = 0.1
"""Interquartile range of a time, as a share of its median, up to which it can be trusted."""

_STAT = Path('/proc/stat')

_BUSY = (0, 1, 2, 5, 6, 7)
"""Columns of a core in proc(5), /proc/stat, that are neither idle nor part of another: user, nice, system, irq,
softirq, steal."""


@dataclass(frozen=True)
class Machine:
    """Where something was measured.

    Attributes:
        processor (str): Its name.
        cores (int): Logical ones that this process may use.
        others (float | None): Share of the time of these cores that went to other programs during the measurement;
            None where the system does not say.
        gpu (str | None): Its name, if it was used.
        torch (str): Version.
    """

    processor: str
    cores: int
    others: float | None
    gpu: str | None
    torch: str

    @classmethod
    def of(cls, measurement: Measurement, device: str) -> Machine:
        """This machine, after a measurement."""
        return cls(
            processor=_processor(),
            cores=len(own_cores()),
            others=measurement.others(),
            gpu=torch.cuda.get_device_name(device) if device.startswith('cuda') else None,
            torch=torch.__version__,
        )

    def doubts(self, costs: Mapping[str, Mapping[str, float]]) -> list[str]:
        """Why times may not be what they seem.

        Args:
            costs (Mapping): By name, as ``measure_costs`` or ``measure_processes`` gives them.

        Returns:
            list[str]: A sentence for each reason.
        """
        found = []
        if self.others is not None and self.others > QUIET_SHARE:
            found.append(
                f'other programs took {self.others:.0%} of the processor meanwhile; measure on an idle machine.'
            )
        wide = {
            name: max((value for key, value in row.items() if key.endswith('_spread')), default=0.0)
            for name, row in costs.items()
        }
        worst = max(wide, key=lambda name: wide[name])
        if wide[worst] > STEADY_SPREAD:
            found.append(
                f'the middle half of the times of {worst} spans {wide[worst]:.0%} of their median; measure again, '
                'on an idle machine or with more repeats.'
            )
        return found


class Measurement:
    """Begins when it is made; says afterwards whether others were computing meanwhile."""

    def __init__(self) -> None:
        self._wall, self._own, self._busy = time.perf_counter(), _own_seconds(), _busy_seconds()

    def others(self) -> float | None:
        """Share of the time of this process' cores that others took since then; None where the system does not say."""
        busy = _busy_seconds()
        if self._busy is None or busy is None:
            return None
        wall, own = time.perf_counter() - self._wall, _own_seconds() - self._own
        return max(0.0, busy - self._busy - own) / (wall * len(own_cores()))


def own_cores() -> set[int]:
    """Numbers of the logical cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _own_seconds() -> float:
    """Processor seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _busy_seconds() -> float | None:
    """Processor seconds since the start of the system that were not idle; None where Linux does not count them."""
    if not _STAT.is_file():
        return None
    names = {f'cpu{number}' for number in own_cores()}
    ticks = 0
    for name, *columns in map(str.split, _STAT.read_text().splitlines()):
        if name in names:
            ticks += sum(int(columns[index]) for index in _BUSY)
    return ticks / os.sysconf('SC_CLK_TCK') if ticks else None


def _processor() -> str:
    """The processor's name, as far as the system tells."""
    listed = Path('/proc/cpuinfo')
    if listed.is_file():
        for line in listed.read_text(errors='replace').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()
