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
    push_to_hub,
    save_adapter,
    set_adapter,
)
from .features import extract_features
from .inference import get_config, init_model
from .inferencer import Inferencer
from .inputs import read_cloud
from .models import get_model, list_models
from .training import TrainingResult, train

__all__ = [
    'Inferencer',
    'NamedSites',
    'TrainingResult',
    'active_adapter',
    'adapter_info',
    'delete_adapter',
    'disable_adapter',
    'extract_features',
    'get_config',
    'get_model',
    'get_peft_model',
    'init_model',
    'list_adapters',
    'list_models',
    'load_adapter',
    'merge_and_unload',
    'print_trainable_parameters',
    'push_to_hub',
    'read_cloud',
    'save_adapter',
    'set_adapter',
    'train',
]
