"""Files of tensors and plain data: read without running anything in them, checked, written with hashes."""

from .content_hash import HASHES_KEY, hash_tensor, section_hashes
from .finite import check_finite
from .plain_state import from_plain, to_plain
from .safe_load import load_checkpoint_file, load_tensor_file
from .save import save_checkpoint
from .structure_rules import OWN_KEY

__all__ = [
    'HASHES_KEY',
    'OWN_KEY',
    'check_finite',
    'from_plain',
    'hash_tensor',
    'load_checkpoint_file',
    'load_tensor_file',
    'save_checkpoint',
    'section_hashes',
    'to_plain',
]
