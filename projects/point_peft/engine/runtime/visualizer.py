"""Visualizer whose files a run can do without."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config
from mmengine.visualization import Visualizer

from ...io.errors import ConfigError
from ...io.spared import spared
from ...registry import VISUALIZERS

PACKAGES = {'TensorboardVisBackend': 'tensorboard', 'WandbVisBackend': 'wandb'}
"""Packages that backends of MMEngine need."""


def add_backend(cfg: Config, backend: str, **options: Any) -> None:
    """Record curves by a further backend of MMEngine, unless the config has it already.

    Args:
        cfg (Config): Config, which is changed.
        backend (str): Its type, such as ``TensorboardVisBackend``.
        **options: Its options; where the config has the backend, they change that.
    """
    visualizer = cfg.get('visualizer') or dict(type='SparedVisualizer')
    backends = list(_backends(visualizer))
    for own in backends:
        if own.get('type') == backend:
            own.update(options)
            break
    else:
        backends.append(dict(type=backend, **options))
    cfg.visualizer = dict(visualizer, vis_backends=backends)


def check_backends(cfg: Config) -> None:
    """Refuse backends whose package is missing, before anything is built.

    Raises:
        ConfigError: One is missing.
    """
    for backend in _backends(cfg.get('visualizer') or {}):
        package = PACKAGES.get(str(backend.get('type')))
        if package is not None and find_spec(package) is None:
            raise ConfigError(
                f'{backend["type"]} needs the package {package}, which is not installed; run "pip install {package}", '
                f'or leave out --{package} (visualizer.vis_backends).'
            )


def _backends(visualizer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The configs of its backends; what is none is refused when it is built."""
    backends = visualizer.get('vis_backends')
    return [entry for entry in backends if isinstance(entry, dict)] if isinstance(backends, list) else []


@VISUALIZERS.register_module()
class SparedVisualizer(Visualizer):
    """MMEngine's Visualizer, but a full disk costs what it would write and one warning, not the run.

    That goes for curves, configs and pictures alike, and for every backend.

    Args:
        **kwargs: Options of :class:`mmengine.visualization.Visualizer` (``vis_backends`` ...).
    """

    def add_config(self, *args: Any, **kwargs: Any) -> None:
        """Record the config, which is what starts the backends.

        Raises:
            ConfigError: Weights & Biases does not start.
        """
        try:
            with spared('the config among the curves'):
                super().add_config(*args, **kwargs)
        except Exception as error:
            if not type(error).__module__.startswith('wandb.'):
                raise
            raise ConfigError(
                f'Weights & Biases does not start ({error}); run "wandb login", or set the environment variable '
                'WANDB_MODE=offline, or leave out --wandb.'
            ) from error

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
