"""Runner hooks."""

from .check_classes import CheckClassesHook
from .checkpoint import AtomicCheckpointHook
from .delta_checkpoint import DeltaCheckpointHook
from .epoch_seed import EpochSeedHook
from .evaluation_cache import EvaluationCacheHook
from .finite import FiniteHook
from .fit import FitHook
from .forgetting import ForgettingHook
from .logger import SparedLoggerHook
from .patience import PatienceHook
from .probe import ProbeHook
from .protocol import ProtocolHook
from .report import ReportHook
from .resume_schedule import ResumeScheduleHook
from .show import ShowHook
from .sync_batch_norm import SyncBatchNormHook
from .trainable_parameters import TrainableParametersHook, count_parameters, format_trainable
from .training_cost import TrainingCostHook
from .training_views import TrainingViewsHook

__all__ = [
    'AtomicCheckpointHook',
    'CheckClassesHook',
    'DeltaCheckpointHook',
    'EpochSeedHook',
    'EvaluationCacheHook',
    'FiniteHook',
    'FitHook',
    'ForgettingHook',
    'PatienceHook',
    'ProbeHook',
    'ProtocolHook',
    'ReportHook',
    'ResumeScheduleHook',
    'ShowHook',
    'SparedLoggerHook',
    'SyncBatchNormHook',
    'TrainableParametersHook',
    'TrainingCostHook',
    'TrainingViewsHook',
    'count_parameters',
    'format_trainable',
]
