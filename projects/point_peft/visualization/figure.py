"""Creating and saving figures on machines with or without a display."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.logging import print_log

from ..io.atomic import open_atomically
from ..io.text import label, printable

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


def draw_legend(
    owner: Axes | Figure, artists: Sequence[Artist], names: Sequence[str], **options: Any
) -> None:
    """Draw a legend that shows every name letter by letter.

    Args:
        owner (Axes | Figure): Where it belongs.
        artists (Sequence[Artist]): What is named.
        names (Sequence[str]): The name of each.
        **options: As those of Matplotlib's ``legend``.
    """
    legend = owner.legend(artists, [''] * len(names), **options)  # which leaves out what begins with `_`
    for text, name in zip(legend.get_texts(), names):
        text.set_text(label(name))


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as a picture, in the format that the suffix of ``path`` names; makes its directory."""
    with open_atomically(path) as file, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        figure.savefig(file, dpi=DPI, format=Path(path).suffix[1:] or None)
    missing = [warning for warning in caught if str(warning.message).startswith('Glyph')]
    for warning in caught:
        if warning not in missing:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if missing:
        print_log(
            f'{printable(path)} has boxes for {len(missing)} letters that its font has not (names in them are in the '
            'logs and tables)',
            logger='current',
            level=logging.WARNING,
        )
