"""Adapters as Hugging Face PEFT has them: several on one backbone, made, switched, saved and loaded by functions."""

from .adapter import Adapter
from .errors import AdapterError, PlainModuleError
from .files import load_adapter, save_adapter
from .hub import push_to_hub
from .making import (
    active_adapter,
    adapter_info,
    delete_adapter,
    disable_adapter,
    get_peft_model,
    list_adapters,
    merge_and_unload,
    print_trainable_parameters,
    set_adapter,
)
from .model_place import TunedEncoder
from .plain_module import NamedSites

__all__ = [
    'Adapter',
    'AdapterError',
    'NamedSites',
    'PlainModuleError',
    'TunedEncoder',
    'active_adapter',
    'adapter_info',
    'delete_adapter',
    'disable_adapter',
    'get_peft_model',
    'list_adapters',
    'load_adapter',
    'merge_and_unload',
    'print_trainable_parameters',
    'push_to_hub',
    'save_adapter',
    'set_adapter',
]
