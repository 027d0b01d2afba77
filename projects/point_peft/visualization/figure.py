"""Creating and saving figures on machines with or without a display."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 110
"""Resolution of saved pictures, in pixels per inch."""


def new_figure(width: float, height: float) -> Figure:
    """Create an empty figure that draws into memory.

    Args:
        width (float): Width in inches.
        height (float): Height in inches.
    """
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as a picture, in the format that the suffix of ``path`` names; makes its directory."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
