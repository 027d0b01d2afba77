"""Tuning methods: the wrapper and one file per method."""

from .base import TuningMethod
from .bottleneck import BottleneckAdapter
from .context import Inserted, TuningContext
from .dapt import DAPT
from .dora import DoRA
from .fitted import FittedMethod, fitted_methods
from .folding import FoldingError
from .ga_prompt import GAPrompt
from .gem import GeometricEncodingMixer
from .geometry_aware_adapter import GeometryAwareAdapter
from .gft import GFT
from .idpt import IDPT
from .lora import LoRA
from .memory_bank import MemoryBank
from .most import MoST
from .peft_backbone import PEFTBackbone
from .point_gst import PointGST
from .point_lora import PointLoRA
from .point_prior_prompt import PointPriorPrompt
from .ppt import PPT
from .prompting import DeepPrompt
from .selective import SelectiveTuning
from .ssf import SSF
from .stag import STAG
from .vpt import VPTDeep, VPTShallow
from .weight_change import WeightChange

__all__ = [
    'DAPT',
    'IDPT',
    'PPT',
    'BottleneckAdapter',
    'DeepPrompt',
    'DoRA',
    'FittedMethod',
    'FoldingError',
    'GAPrompt',
    'GFT',
    'GeometricEncodingMixer',
    'GeometryAwareAdapter',
    'Inserted',
    'LoRA',
    'MemoryBank',
    'MoST',
    'PEFTBackbone',
    'PointGST',
    'PointLoRA',
    'PointPriorPrompt',
    'SSF',
    'STAG',
    'SelectiveTuning',
    'TuningMethod',
    'TuningContext',
    'VPTDeep',
    'VPTShallow',
    'WeightChange',
    'fitted_methods',
]
