"""Visualizer whose files a run can do without."""

from __future__ import annotations

from typing import Any

from mmengine.visualization import Visualizer

from ...io.spared import spared
from ...registry import VISUALIZERS


@VISUALIZERS.register_module()
class SparedVisualizer(Visualizer):
    """MMEngine's Visualizer, but a full disk costs what it would write and one warning, not the run.

    That goes for curves, configs and pictures alike, and for every backend.

    Args:
        **kwargs: Options of :class:`mmengine.visualization.Visualizer` (``vis_backends`` ...).
    """

    def add_config(self, *args: Any, **kwargs: Any) -> None:
        """Record the config."""
        with spared('the config among the curves'):
            super().add_config(*args, **kwargs)

    def add_graph(self, *args: Any, **kwargs: Any) -> None:
        """Record the graph of the model."""
        with spared('the graph of the model'):
            super().add_graph(*args, **kwargs)

    def add_image(self, *args: Any, **kwargs: Any) -> None:
        """Record a picture."""
        with spared('a picture'):
            super().add_image(*args, **kwargs)

    def add_scalar(self, *args: Any, **kwargs: Any) -> None:
        """Record a number."""
        with spared('a point of a curve'):
            super().add_scalar(*args, **kwargs)

    def add_scalars(self, *args: Any, **kwargs: Any) -> None:
        """Record several numbers."""
        with spared('a point of the curves'):
            super().add_scalars(*args, **kwargs)

    def close(self) -> None:
        """Close the backends."""
        with spared('the end of the curves'):
            super().close()
