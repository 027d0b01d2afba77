"""Checkpoints and adapters of a model: what goes into them, whose they are, and loading them."""

from .delta import (
    CheckpointSizes,
    adapter_state,
    check_base,
    checkpoint_sizes,
    delta_state,
    describe_checkpoint,
)
from .fingerprint import BaseFingerprint, base_fingerprint, init_pretrained, set_fingerprint
from .fitted import check_other_state, check_other_states, external_keys, noted_hash
from .loading import LoadReport, complete_state, full_state, load_weights, log_report
from .message_hub import reduce_message_hub
from .mmengine_loaders import use_safe_loading

__all__ = [
    'BaseFingerprint',
    'CheckpointSizes',
    'LoadReport',
    'adapter_state',
    'base_fingerprint',
    'check_base',
    'check_other_state',
    'check_other_states',
    'checkpoint_sizes',
    'complete_state',
    'delta_state',
    'describe_checkpoint',
    'external_keys',
    'full_state',
    'init_pretrained',
    'load_weights',
    'log_report',
    'noted_hash',
    'reduce_message_hub',
    'set_fingerprint',
    'use_safe_loading',
]
