"""Pictures of clouds and curves; drawn without a display, and without pyplot's global state."""

from .clouds import plot_clouds, project
from .curves import Curve, plot_curves, read_curve
from .figure import new_figure, save_figure
from .results import MethodResult, plot_results

__all__ = [
    'Curve',
    'MethodResult',
    'new_figure',
    'plot_clouds',
    'plot_curves',
    'plot_results',
    'project',
    'read_curve',
    'save_figure',
]
