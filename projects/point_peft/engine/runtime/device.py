"""The device of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import utils as mmengine_device

from ...io.errors import PointPEFTError
from ...io.text import printable

NO_DEVICE = 'is no device; give cpu, cuda, cuda:1 ... or auto.'


def is_device(name: str) -> bool:
    """Whether torch knows such a device, here or elsewhere."""
    try:
        return name == 'auto' or bool(torch.device(name).type)
    except RuntimeError:
        return False


def check_device(name: str) -> str:
    """The device that is meant, if this machine has it.

    Args:
        name (str): ``auto``, ``cpu``, ``cuda`` or ``cuda:1`` ...

    Returns:
        str: The same; ``cuda`` or ``cpu`` for ``auto``.

    Raises:
        PointPEFTError: There is no such device.
    """
    if not is_device(name):
        raise PointPEFTError(f"'{printable(name)}' {NO_DEVICE}")
    if name == 'auto':
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    if name.startswith('cuda') and not torch.cuda.is_available():
        raise PointPEFTError(f'--device {name} was given, but torch sees no CUDA device; use --device cpu.')
    if name.startswith('cuda:') and int(name.partition(':')[2]) >= (count := torch.cuda.device_count()):
        raise PointPEFTError(f'--device {name} was given, but there are cuda:0 to cuda:{count - 1} only.')
    return name


@contextmanager
def selected_device(device: str) -> Iterator[None]:
    """Keep MMEngine to a device while a block runs; see :func:`select_device`."""
    before = mmengine_device.DEVICE
    select_device(device)
    try:
        yield
    finally:
        mmengine_device.DEVICE = before


def select_device(device: str) -> None:
    """Keep MMEngine to a device, from now on.

    Args:
        device (str): ``auto``, ``cpu`` or ``cuda``.

    Raises:
        PointPEFTError: There is no CUDA device although one is asked for.
    """
    check_device(device)
    if device == 'cpu':
        mmengine_device.DEVICE = (
            'cpu'  # MMEngine takes what it finds, and no config or function says otherwise
        )
