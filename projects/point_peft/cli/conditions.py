"""What the tools that measure costs are told of the conditions."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from ..engine.runtime.device import check_device
from ..experiments.contestant import DTYPES, Conditions
from ..experiments.growth import FILES, PROCESSES, SIZES
from ..io.text import printable
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


class GrowingSize(argparse.Action):
    """Reads the name of a size and the values that it takes: ``batch_size 1 2 4``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Set name and values, from small to large."""
        size, *texts = list(values or ())
        if size not in (known := (*SIZES, PROCESSES, FILES)) and '.' not in size:
            raise argparse.ArgumentError(
                self,
                f"'{printable(size)}' is no size; give {', '.join(known)} or a key of the config, as "
                'model.backbone.num_groups.',
            )
        try:
            numbers = sorted({at_least(1)(text) for text in texts})
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from error
        if len(numbers) < 2:
            raise argparse.ArgumentError(self, f'give {size} two values or more.')
        setattr(namespace, self.dest, (size, numbers))
