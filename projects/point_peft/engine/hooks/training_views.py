"""Hook that trains on some augmented views of every cloud, which are augmented and embedded once."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from ...datasets import unrepeated
from ...io.errors import ConfigError
from ...methods import PEFTBackbone
from ...methods.base import TuningMethod
from ...methods.evaluation_cache import EvaluationCache
from ...methods.training_views import POINTS, Allocate, TrainingViews, bytes_per_cloud
from ...models import PointClassifier, PointDataPreprocessor
from ...registry import HOOKS
from ...registry.wrappers import unwrap
from ..fitting import check_places
from ..runtime.randomness import preserved_rng

MB = 2**20
NO_LIMIT = 2**20
"""Room in MB for what frozen weights make of one cloud."""


@HOOKS.register_module()
class TrainingViewsHook(Hook):
    """Trains on a fixed number of augmented views of every cloud: epoch e sees view e mod ``num_views``.

    An approximation of ours, for classification in one process, off by default. Augmented points, embedded groups and
    prior queries of a view are kept when they are computed first, and read afterwards: the same numbers, but there are
    no more augmentations than views. The weights that make them must be frozen. A resumed training begins without any,
    so its views are drawn anew and are others than those of the training that was stopped. Where an epoch
    repeats the dataset, all its repeats see the same view.

    Args:
        num_views (int): Views of each cloud.
        max_mb (float): Room for them, in 2**20 bytes; it is taken at the start.
        in_file (bool): Whether they are in a file without a name in the work directory, which is gone when the training
            ends, instead of in memory.

    Raises:
        ConfigError: There are no views, or there is no room.
    """

    priority = 'LOW'  # after the memory bank is there, without which there are no queries to be kept

    def __init__(self, num_views: int = 4, max_mb: float = 2048, in_file: bool = False) -> None:
        if type(num_views) is not int or num_views < 1 or max_mb <= 0:
            raise ConfigError(
                f'num_views={num_views} and max_mb={max_mb} of TrainingViewsHook keep nothing; give a whole number of '
                'views, at least 1, and some room, or leave the hook out.'
            )
        self.num_views, self.max_mb, self.in_file = num_views, max_mb, in_file
        self.views: TrainingViews | None = None

    def before_train(self, runner: Runner) -> None:
        """Make room for the views.

        Raises:
            ConfigError: Views of this model cannot be kept, or the data samples do not say which clouds they are, or
                there is not enough room; says what to do.
        """
        model: Any = unwrap(runner.model)
        problem = reason_against(model, runner.train_loop)
        if problem:
            raise refusal(problem)
        loader = runner.train_dataloader
        check_places(loader.dataset)
        clouds = unrepeated(loader.dataset)
        examples = example_results(model, loader.collate_fn([clouds[0]]))
        size = bytes_per_cloud(examples)
        self._check_room(len(clouds), size, Path(runner.work_dir))
        allocate = rows_in_file(Path(runner.work_dir)) if self.in_file else None
        self.views = TrainingViews(len(clouds), self.num_views, allocate)
        self.views.make_room(examples)
        model.data_preprocessor.training_views = model.backbone.training_views = self.views
        place = f'a file in {runner.work_dir}' if self.in_file else 'memory'
        runner.logger.info(
            f'{self.num_views} views of {len(clouds)} clouds are kept in {place}: '
            f'{self._mb(len(clouds), size):.1f} MB, {size / 1024:.0f} KB for each'
        )
        if self.num_views >= runner.max_epochs:
            runner.logger.warning(
                f'no view is seen twice in {runner.max_epochs} epochs, so num_views={self.num_views} of '
                'TrainingViewsHook spares nothing; give fewer views or more epochs.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Go on to the next view."""
        if self.views is not None:
            self.views.view = runner.epoch % self.num_views

    def after_train(self, runner: Runner) -> None:
        """Free the room."""
        model: Any = unwrap(runner.model)
        model.data_preprocessor.training_views = model.backbone.training_views = self.views = None

    def _mb(self, num_clouds: int, size: int) -> float:
        """Room that views of some bytes take."""
        return self.num_views * num_clouds * size / MB

    def _check_room(self, num_clouds: int, size: int, work_dir: Path) -> None:
        """Refuse views that take more room than there is."""
        needed = self._mb(num_clouds, size)
        if needed > self.max_mb:
            raise ConfigError(
                f'{self.num_views} views of {num_clouds} clouds take {math.ceil(needed)} MB, more than '
                f'max_mb={self.max_mb:g} of TrainingViewsHook; raise it, with in_file=True if memory is short, or '
                'lower num_views.'
            )
        if self.in_file and needed > (free := shutil.disk_usage(work_dir).free / MB):
            raise ConfigError(
                f'{self.num_views} views of {num_clouds} clouds take {math.ceil(needed)} MB, but {work_dir} has '
                f'{free:.0f} MB left; make room there, or lower num_views of TrainingViewsHook.'
            )


def refusal(reason: str) -> ConfigError:
    """The error for a training whose views cannot be kept, for a reason that is a clause."""
    return ConfigError(f'TrainingViewsHook cannot keep views of this training: {reason}; leave it out.')


def reason_against(model: Any, loop: Any) -> str:
    """Why views cannot be kept in a training, as a clause; empty if they can."""
    if get_world_size() > 1:
        return 'each of several processes sees other clouds in every epoch, so it would hardly find one again'
    if not isinstance(loop, EpochBasedTrainLoop):
        return 'views change with epochs, but train_cfg counts iterations'
    return reason_against_model(model)


def reason_against_model(model: Any) -> str:
    """Why views cannot be kept for a model, as a clause; empty if they can."""
    if not isinstance(model, PointClassifier) or not isinstance(
        model.data_preprocessor, PointDataPreprocessor
    ):
        return (
            f'it is for a PointClassifier with a PointDataPreprocessor, and this is a {type(model).__name__}'
        )
    if not isinstance(model.backbone, PEFTBackbone) or model.backbone.tunes_embedding:
        return 'what embeds the clouds is trained, so it gives something else in every step'
    for method in model.backbone.methods:
        if type(method).transform_points is not TuningMethod.transform_points:
            return f'{type(method).__name__} moves the points, otherwise in every step'
    if model._compiled is not None:
        return 'the training is compiled, which would take what is kept for constants'
    return ''


@torch.no_grad()
def example_results(model: Any, data: dict[str, Any]) -> dict[Any, Any]:
    """What is kept of clouds, by name, for some clouds; the model and the random numbers stay as they are.

    Args:
        model (nn.Module): A classifier with a tuned backbone.
        data (dict): Batch of a data loader.

    Raises:
        ConfigError: The backbone embeds the same clouds differently each time.
    """
    backbone, was_training, before = model.backbone, model.training, model.backbone.evaluation_cache
    cache = backbone.evaluation_cache = EvaluationCache(NO_LIMIT)
    try:
        with preserved_rng():
            inputs = model.data_preprocessor(data, True)['inputs']
            model.eval()
            model(inputs, mode='tensor')
            model.train()
            embedded = [backbone.embed(inputs['points']).features for _ in range(2)]
    finally:
        backbone.evaluation_cache = before
        model.train(was_training)
    found = {key: value for (_, key), value in cache.results.items()}
    if 'tokens' not in found or not torch.allclose(*embedded):
        raise refusal('the backbone embeds the same clouds differently each time')
    return {POINTS: inputs['points'], **found}


def rows_in_file(folder: Path) -> Allocate:
    """Room in files without a name in a folder, mapped into memory; each is gone with its tensor."""

    def allocate(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        size = math.prod(shape) * torch.empty(0, dtype=dtype).element_size()
        with tempfile.TemporaryFile(dir=folder) as file:
            data = np.memmap(file, np.uint8, 'w+', shape=(size,))
        return torch.from_numpy(data).view(dtype).view(tuple(shape))

    return allocate
