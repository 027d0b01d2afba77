"""Building the memory bank, and its file with where it came from."""

from .build import bank_dataset, build_bank
from .clouds import fingerprint_clouds
from .files import attach_bank, load_bank, save_bank
from .provenance import (
    BankProvenance,
    MemoryBankMismatchError,
    check_bank,
    expected_provenance,
    find_prompt,
)

__all__ = [
    'BankProvenance',
    'MemoryBankMismatchError',
    'attach_bank',
    'bank_dataset',
    'build_bank',
    'check_bank',
    'expected_provenance',
    'find_prompt',
    'fingerprint_clouds',
    'load_bank',
    'save_bank',
]
