"""Checkpoints: safe reading, atomic writing, plain types, adapters."""

from ...files import remove_partial_files, write_atomically
from .atomic import AtomicLocalBackend, save_checkpoint
from .content_hash import HASHES_KEY, section_hashes
from .delta import (
    META_KEY,
    CheckpointSizes,
    adapter_state,
    bank_hash,
    check_base,
    checkpoint_sizes,
    delta_state,
    describe_checkpoint,
    external_keys,
)
from .fingerprint import (
    BaseFingerprint,
    base_fingerprint,
    hash_tensor,
    init_pretrained,
    outermost_with,
    unwrap,
)
from .finite import check_finite
from .loading import LoadReport, check_other_bank, complete_state, full_state, load_weights, log_report
from .mmengine_loaders import use_safe_loading
from .network import check_heads, describe_network, network_of, note_config, saved_network
from .plain_state import from_plain, reduce_message_hub, to_plain
from .safe_load import load_checkpoint_file, load_tensor_file

__all__ = [
    'HASHES_KEY',
    'META_KEY',
    'AtomicLocalBackend',
    'BaseFingerprint',
    'CheckpointSizes',
    'LoadReport',
    'adapter_state',
    'bank_hash',
    'base_fingerprint',
    'check_base',
    'check_finite',
    'check_heads',
    'check_other_bank',
    'checkpoint_sizes',
    'complete_state',
    'delta_state',
    'describe_checkpoint',
    'describe_network',
    'external_keys',
    'from_plain',
    'full_state',
    'hash_tensor',
    'init_pretrained',
    'load_checkpoint_file',
    'load_tensor_file',
    'load_weights',
    'log_report',
    'network_of',
    'note_config',
    'outermost_with',
    'reduce_message_hub',
    'remove_partial_files',
    'save_checkpoint',
    'saved_network',
    'section_hashes',
    'to_plain',
    'unwrap',
    'use_safe_loading',
    'write_atomically',
]
