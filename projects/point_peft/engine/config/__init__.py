"""Reading configs: files, what the command line changes in them, and what a user would otherwise be wrong about."""

from .loading import drop_absent_hooks, load_config
from .names import Combination, find_config, part_files
from .options import ConfigOptions, OptionText
from .paths import set_data_root
from .reading import compose, read_config, reason_against
from .walking import DATALOADERS, walk_dicts

__all__ = [
    'DATALOADERS',
    'Combination',
    'ConfigOptions',
    'OptionText',
    'compose',
    'drop_absent_hooks',
    'find_config',
    'load_config',
    'part_files',
    'read_config',
    'reason_against',
    'set_data_root',
    'walk_dicts',
]
