"""Training engine: checkpoints, hooks, optimizer groups, several processes, and the helpers of the tools.

Importing it makes MMEngine read every checkpoint safely, see :func:`use_safe_loading`.
"""

from . import distributed, randomness, registries
from .checkpoint import load_checkpoint_file, load_weights, use_safe_loading
from .errors import PointPEFTError

use_safe_loading()

__all__ = [
    'PointPEFTError',
    'distributed',
    'load_checkpoint_file',
    'load_weights',
    'randomness',
    'registries',
    'use_safe_loading',
]
