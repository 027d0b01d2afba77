"""Pictures of what a model says of clouds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from ..visualization import ShownCloud, plot_shown, show_sample
from .answers import Answer


def shown(answers: Sequence[Answer], meta: Mapping[str, Any]) -> list[ShownCloud]:
    """What to show of answers without a problem; see ``point_peft.visualization``."""
    return [
        show_sample(answer.sample, answer.points, meta)
        for answer in answers
        if answer.sample is not None and answer.points is not None
    ]


def picture_of(answer: Answer, meta: Mapping[str, Any]) -> np.ndarray:
    """A cloud with what the model says of it, (H, W, 3) uint8."""
    figure = plot_shown(shown([answer], meta))
    canvas = cast(FigureCanvasAgg, figure.canvas)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
