"""The machine that costs were measured on, and whether it was quiet."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

IDLE_LOAD = 0.3
"""Load average up to which nobody else computes."""

STEADY_SPREAD = 0.1
"""Interquartile range of a time, as a share of its median, up to which it can be trusted."""


@dataclass(frozen=True)
class Machine:
    """Where something was measured.

    Attributes:
        processor (str): Its name.
        cores (int): Logical ones that this process may use.
        load (float | None): Average of the last minute before the measurement; None where the system has none.
        gpu (str | None): Its name, if it was used.
        torch (str): Version.
    """

    processor: str
    cores: int
    load: float | None
    gpu: str | None
    torch: str

    @classmethod
    def now(cls, device: str) -> Machine:
        """This machine, before a measurement."""
        return cls(
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1,
            load=os.getloadavg()[0] if hasattr(os, 'getloadavg') else None,
            gpu=torch.cuda.get_device_name(device) if device.startswith('cuda') else None,
            torch=torch.__version__,
        )

    def doubts(self, costs: Mapping[str, Mapping[str, float]]) -> list[str]:
        """Why times may not be what they seem.

        Args:
            costs (Mapping): By name, as ``measure_costs`` gives them.

        Returns:
            list[str]: A sentence for each reason.
        """
        found = []
        if self.load is not None and self.load > IDLE_LOAD:
            found.append(
                f'other programs were computing (load average {self.load:.1f}); measure on an idle machine.'
            )
        wide = {name: max(row['train_step_spread'], row['infer_spread']) for name, row in costs.items()}
        worst = max(wide, key=lambda name: wide[name])
        if wide[worst] > STEADY_SPREAD:
            found.append(
                f'the middle half of the times of {worst} spans {wide[worst]:.0%} of their median; measure again, '
                'on an idle machine or with more repeats.'
            )
        return found


def _processor() -> str:
    """The processor's name, as far as the system tells."""
    listed = Path('/proc/cpuinfo')
    if listed.is_file():
        for line in listed.read_text(errors='replace').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()
