"""Picture of features by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure
from torch import Tensor

from .figure import new_figure
from .palette import label_colors

if TYPE_CHECKING:
    from ..evaluation.probing import LabelledFeatures

PANEL = 4.5
"""Inches of the side of a panel."""


def plot_features(panels: Mapping[str, LabelledFeatures], classes: Sequence[str]) -> Figure:
    """Draw features of several networks on their first two principal axes, colored by class.

    Args:
        panels (Mapping[str, LabelledFeatures]): features by the title of their panel.
        classes (Sequence[str]): class names in label order, for the legend.
    """
    figure = new_figure(PANEL * len(panels) + 1.5, PANEL)
    colors = label_colors(range(len(classes)))
    for number, (title, features) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), number + 1)
        places = principal_axes(features.values)
        for label in features.labels.unique().tolist():
            x, y = places[features.labels == label].T.numpy()
            axes.scatter(x, y, s=6, color=colors[label], label=classes[label])
        axes.set_title(title)
        axes.set_xticks([])
        axes.set_yticks([])
    if figure.axes:
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc='outside right center', fontsize=8, markerscale=2)
    return figure


def principal_axes(values: Tensor) -> Tensor:
    """Coordinates (M, 2) of standardised features (M, D) on the two axes of largest variance."""
    scale = values.std(dim=0, correction=0)
    centered = (values - values.mean(dim=0)) / torch.where(scale > 1e-6, scale, torch.ones_like(scale))
    _, _, axes = torch.linalg.svd(centered, full_matrices=False)
    return centered @ axes[:2].T
