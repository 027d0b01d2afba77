"""What an encoder can be pre-trained for; :class:`~point_peft.models.JointPretrain` adds them up."""

from .base import GroupView, Objective
from .labels import LabelObjective
from .masked import MaskedObjective
from .parts import PartObjective
from .views import ViewObjective
from .words import WordObjective

__all__ = [
    'GroupView',
    'LabelObjective',
    'MaskedObjective',
    'Objective',
    'PartObjective',
    'ViewObjective',
    'WordObjective',
]
