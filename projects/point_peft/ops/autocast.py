"""Whether autocast is on, whatever the version of torch calls that."""

from __future__ import annotations

import torch

from .compiling import HAS_CUSTOM_OPERATORS


def is_autocasting(device_type: str) -> bool:
    """Whether products on this type of device are rounded to half precision."""
    if HAS_CUSTOM_OPERATORS:  # torch 2.4, which asks for the device
        return torch.is_autocast_enabled(device_type)
    return torch.is_autocast_cpu_enabled() if device_type == 'cpu' else torch.is_autocast_enabled()
