"""Python entry points."""

from ..adapters import (
    NamedSites,
    active_adapter,
    adapter_info,
    delete_adapter,
    disable_adapter,
    get_peft_model,
    list_adapters,
    load_adapter,
    merge_and_unload,
    print_trainable_parameters,
    save_adapter,
    set_adapter,
)
from .inference import get_config, init_model

__all__ = [
    'NamedSites',
    'active_adapter',
    'adapter_info',
    'delete_adapter',
    'disable_adapter',
    'get_config',
    'get_peft_model',
    'init_model',
    'list_adapters',
    'load_adapter',
    'merge_and_unload',
    'print_trainable_parameters',
    'save_adapter',
    'set_adapter',
]
