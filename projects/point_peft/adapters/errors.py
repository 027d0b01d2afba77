"""What goes wrong with adapters."""

from __future__ import annotations

from ..io.errors import InvalidValueError


class AdapterError(InvalidValueError):
    """A model has no such adapter, or it cannot be made, switched or saved."""


class PlainModuleError(AdapterError, AttributeError):
    """A tuning method asks a plain module for what only a backbone of this project has."""
