"""Converters of published files: their names and sizes, brought to those of this project."""

from .conversion import Conversion, convert_checkpoint

__all__ = ['Conversion', 'convert_checkpoint']
