"""Predictions on files and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

from ..datasets.preparation import Preparation
from ..engine.runtime.device import check_device
from ..io.errors import ConfigError, InvalidValueError
from ..io.progress import track
from ..io.text import printable
from ..models import PartSegmentor
from ..models.base import TunedModel
from .answers import Answer, as_result, refuse_problems
from .inference import init_model
from .inputs import Inputs, listed, read_clouds
from .model_files import config_and_checkpoint
from .prediction import evaluating, find_category, predict, preparation_for_files
from .scenes import SCENE_SUFFIXES, ScenePreparation, loads_rooms, predict_scenes


class Inferencer:
    """Classes, parts or boxes of clouds and meshes, whatever they are given as.

    A cloud is prepared as the test set of the model's config prepares its own: as many points, drawn with a seed made
    from the file's name (of arrays the same seed for all), and normalised or not. ``print(inferencer)`` says how. The
    points of most data sets here are moved so that their mean is the origin, and scaled so that the farthest is at
    distance 1; do not do it yourself. Rooms stay in metres.

    Args:
        model (str | Path | Config | BaseModel): A checkpoint of a training, which has its config in it; or a config or
            its name, with a checkpoint; or a model that :func:`init_model` or :func:`get_model` made.
        checkpoint (str | Path | None): The checkpoint or adapter, if ``model`` is a config.
        device (str | None): ``cpu``, ``cuda``, ``cuda:1`` ... or ``auto``; None means the CPU, or where a model is.
        normalize (str | None): ``unit_sphere`` or ``none``, in place of what the test set does.
        options (dict | None): Changes to the config.

    Raises:
        PointPEFTError: A file is missing, unsafe or does not fit, or nothing says how clouds are prepared.

    Examples:
        >>> inferencer = Inferencer('work_dirs/mine/epoch_50.pth')  # doctest: +SKIP
        >>> [result['pred_class'] for result in inferencer(['chair.ply', 'scans'])]  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path | Config | BaseModel,
        checkpoint: str | Path | None = None,
        *,
        device: str | None = None,
        normalize: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.model: BaseModel
        if isinstance(model, BaseModel):
            if checkpoint is not None or options:
                raise InvalidValueError(
                    'a model that is built takes neither a checkpoint nor options; leave them out.'
                )
            self.model = model if device is None else model.to(check_device(device))
        else:
            cfg, file = config_and_checkpoint(model, checkpoint, options)
            self.model = init_model(cfg, file, device=device or 'cpu')
        self.cfg: Config = getattr(self.model, 'cfg', Config())
        self.meta: dict[str, Any] = getattr(self.model, 'dataset_meta', {})
        init_default_scope(self.cfg.get('default_scope', 'point_peft'))
        self.preparation: Preparation | ScenePreparation
        if loads_rooms(self.cfg):
            self.preparation = ScenePreparation.of(self.cfg, normalize)
        elif isinstance(self.model, TunedModel):
            self.preparation = preparation_for_files(self.cfg, normalize)
        else:
            raise InvalidValueError(
                f'{type(self.model).__name__} says nothing of a single cloud, or its config does not say how one is '
                'loaded; give a classifier, a part segmentor, or a detector or scene segmentor with its config.'
            )

    def __call__(
        self,
        inputs: Inputs,
        *,
        batch_size: int | None = None,
        category: str | int | Sequence[str | int] | None = None,
        return_vis: bool = False,
        show_progress: bool = False,
    ) -> list[dict[str, Any]]:
        """Predict.

        Args:
            inputs: A file, a directory, an array or tensor (N, 3), several of them as (B, N, 3), or a list of files,
                directories and arrays (N, 3). Of rooms arrays have the columns that the config loads.
            batch_size (int | None): Clouds at a time; changes no result. None means as many as in the test.
            category (str | int | Sequence | None): What the objects are, for part segmentation, by name or index: one
                for all, or one for each input.
            return_vis (bool): Draw every cloud with what is predicted.
            show_progress (bool): Show a bar of progress.

        Returns:
            list[dict]: One for each cloud, in the order of the inputs, those of a directory by name. All have
            ``source``, ``error``, and ``points`` (M, 3) as the model saw them. Of classes: ``pred_label``,
            ``pred_class`` (its name), ``pred_score``, ``pred_scores`` (num_classes,). Of parts: ``pred_parts`` (M,),
            ``part_names`` by part, ``category``. Of boxes: ``bboxes_3d`` (K, 7) with center, size and yaw,
            ``labels_3d``, ``scores_3d`` and ``classes``. Of points of rooms: ``pred_point_labels`` (M,), ``classes``.
            With ``return_vis`` also ``visualization`` (H, W, 3) uint8. Values are numpy arrays. A file that cannot be
            used, among others that can, is logged, and has its reason in ``error`` and nothing else.

        Raises:
            PointPEFTError: An array, the only file or all files cannot be used; names it.
        """
        answers = self.answers(inputs, batch_size=batch_size, category=category, show_progress=show_progress)
        for answer in answers:
            if answer.problem is not None:
                print_log(f'passed over: {printable(answer.problem)}', logger='current', level=30)
        results = [as_result(answer, self.meta) for answer in answers]
        if return_vis:
            # Those who do not look need not wait for the libraries that draw.
            from .pictures import picture_of

            for answer, result in zip(answers, results):
                if answer.sample is not None:
                    result['visualization'] = picture_of(answer, self.meta)
        return results

    def answers(
        self,
        inputs: Inputs,
        *,
        batch_size: int | None = None,
        category: str | int | Sequence[str | int] | None = None,
        show_progress: bool = False,
    ) -> list[Answer]:
        """Predict, and keep the data samples and the tensors; as :meth:`__call__`."""
        size = self.checked_batch_size(batch_size)
        answers = self.read(inputs)
        usable = [answer for answer in answers if answer.problem is None]
        self._tell_categories(usable, category, inputs=max(answer.position for answer in answers) + 1)
        with evaluating(self.model):
            if isinstance(self.preparation, ScenePreparation):
                found = predict_scenes(self.model, usable, self.preparation)
            else:
                found = predict(self.model, usable, size)
            for _ in track(found, 'predicting', total=len(usable), disable=not show_progress):
                pass
        refuse_problems(answers)
        return answers

    def read(self, inputs: Inputs) -> list[Answer]:
        """Clouds as the model gets them, in the order of the inputs; files that cannot be read have their problem.

        Raises:
            PointPEFTError: An array, the only file or all files cannot be used; names it.
        """
        if isinstance(self.preparation, ScenePreparation):
            answers = self.preparation.read_clouds(listed(inputs, SCENE_SUFFIXES))
        else:
            answers = read_clouds(self.preparation, listed(inputs))
        refuse_problems(answers)
        return answers

    def checked_batch_size(self, batch_size: int | None) -> int:
        """Clouds at a time: what is given or, if that is None, as many as in a test.

        Raises:
            InvalidValueError: It is no whole number of at least 1.
        """
        if batch_size is None:
            return int((self.cfg.get('test_dataloader') or {}).get('batch_size', 1))
        if not isinstance(batch_size, int) or batch_size < 1:
            raise InvalidValueError(f'batch_size={batch_size!r} must be a whole number of at least 1.')
        return batch_size

    def __repr__(self) -> str:
        """Model, and how clouds are prepared."""
        return f'Inferencer({type(self.model).__name__}, {self.preparation})'

    def _tell_categories(
        self, answers: Sequence[Answer], category: str | int | Sequence[str | int] | None, *, inputs: int
    ) -> None:
        """Give every answer its category, where the model has to be told."""
        if not isinstance(self.model, PartSegmentor):
            if category is not None:
                raise ConfigError(
                    f'a category is for part segmentation, but the model is a {type(self.model).__name__}; leave it '
                    'out.'
                )
            return
        names, count = self.meta.get('classes') or (), self.model.head.num_categories
        if category is None or isinstance(category, (str, int)):
            found = find_category(category, names, count)
            for answer in answers:
                answer.category = found
            return
        found_by_input = [find_category(one, names, count) for one in category]
        if len(found_by_input) != inputs:
            raise InvalidValueError(
                f'the number of categories is {len(found_by_input)}, that of the inputs {inputs}; give one for each, '
                'or one for all.'
            )
        for answer in answers:
            answer.category = found_by_input[answer.position]
