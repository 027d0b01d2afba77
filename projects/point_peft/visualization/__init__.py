"""Pictures and pages of clouds and curves; drawn without a display, and without pyplot's global state."""

from .clouds import plot_clouds, project
from .curves import Curve, plot_curves, read_curve, step_unit
from .embedding import plot_features
from .figure import new_figure, save_figure
from .page import write_page
from .samples import show_sample
from .scenes import show_boxes, show_labels
from .shown import ShownCloud, plot_shown

__all__ = [
    'Curve',
    'ShownCloud',
    'new_figure',
    'plot_clouds',
    'plot_curves',
    'plot_features',
    'plot_shown',
    'project',
    'read_curve',
    'save_figure',
    'show_boxes',
    'show_labels',
    'show_sample',
    'step_unit',
    'write_page',
]
