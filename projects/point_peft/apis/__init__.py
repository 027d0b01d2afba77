"""Python entry points."""

from .inference import get_config, init_model

__all__ = ['get_config', 'init_model']
