"""What the tools that measure costs are told of the conditions."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from ..engine.runtime.device import check_device
from ..experiments.contestant import DTYPES, Conditions
from .arguments import at_least, device

KINDS: dict[str, Callable[[str], Any]] = {'dtype': str, 'device': device}
"""What is no count."""


def add_conditions(parser: argparse.ArgumentParser) -> None:
    """Add a flag per field of :class:`Conditions`."""
    for field in fields(Conditions):
        flag = f'--{field.name.replace("_", "-")}'
        kind = KINDS.get(field.name, at_least(1))
        choices = DTYPES if field.name == 'dtype' else None
        parser.add_argument(
            flag, type=kind, default=field.default, choices=choices, help=field.metadata.get('help')
        )


def conditions_of(args: argparse.Namespace) -> Conditions:
    """What the flags say.

    Raises:
        PointPEFTError: There is no such device.
    """
    args.device = check_device(args.device)
    return Conditions(**{field.name: getattr(args, field.name) for field in fields(Conditions)})
