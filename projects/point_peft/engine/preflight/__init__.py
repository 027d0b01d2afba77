"""Checks before a run: its files and packages, its batches, its memory bank and what it recomputes."""

from .bank import check_bank_comes
from .batches import check_batches
from .files import check_data, check_files
from .recomputation import check_recomputation

__all__ = ['check_bank_comes', 'check_batches', 'check_data', 'check_files', 'check_recomputation']
