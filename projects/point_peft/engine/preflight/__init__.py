"""Checks before a run: its files and packages, its batches, its fitted states and what it recomputes."""

from .batches import check_batches
from .files import check_data, check_files
from .fitting import check_fitting
from .recomputation import check_recomputation

__all__ = ['check_batches', 'check_data', 'check_files', 'check_fitting', 'check_recomputation']
