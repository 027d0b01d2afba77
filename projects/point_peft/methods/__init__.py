"""Tuning methods: the wrapper and one file per method."""

from .base import TuningMethod
from .bottleneck import BottleneckAdapter
from .context import Inserted, TuningContext
from .fitted import FittedMethod, fitted_methods
from .geometry_aware_adapter import GeometryAwareAdapter
from .lora import LoRA
from .memory_bank import MemoryBank
from .peft_backbone import PEFTBackbone
from .point_lora import PointLoRA
from .point_prior_prompt import PointPriorPrompt
from .prompting import DeepPrompt
from .selective import SelectiveTuning
from .stag import STAG
from .vpt import VPTDeep

__all__ = [
    'BottleneckAdapter',
    'DeepPrompt',
    'FittedMethod',
    'GeometryAwareAdapter',
    'Inserted',
    'LoRA',
    'MemoryBank',
    'PEFTBackbone',
    'PointLoRA',
    'PointPriorPrompt',
    'STAG',
    'SelectiveTuning',
    'TuningMethod',
    'TuningContext',
    'VPTDeep',
    'fitted_methods',
]
