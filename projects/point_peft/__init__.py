"""Point-PEFT: parameter-efficient fine-tuning of point-cloud transformers on MMEngine."""

from .version import __version__

__all__ = ['__version__']
