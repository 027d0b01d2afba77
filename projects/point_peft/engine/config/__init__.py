"""Reading configs: files, what the command line changes in them, and what a user would otherwise be wrong about."""

from .loading import drop_absent_hooks, load_config
from .options import ConfigOptions, OptionText
from .paths import set_data_root
from .walking import DATALOADERS, walk_dicts

__all__ = [
    'DATALOADERS',
    'ConfigOptions',
    'OptionText',
    'drop_absent_hooks',
    'load_config',
    'set_data_root',
    'walk_dicts',
]
