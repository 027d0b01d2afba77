"""Training engine: configs, checkpoints, the run itself, its hooks, and the checks before it.

Importing it makes MMEngine read every checkpoint safely, see :func:`use_safe_loading`.
"""

from ..io import backend
from ..registry import scopes
from .checkpoint import load_weights, use_safe_loading
from .runtime import distributed, randomness

use_safe_loading()

__all__ = ['backend', 'distributed', 'load_weights', 'randomness', 'scopes', 'use_safe_loading']
