"""Hook that compares the head with the data before the first step."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ..checkpoint import unwrap
from ..errors import ConfigError


@HOOKS.register_module()
class CheckClassesHook(Hook):
    """Refuse a head that has another number of classes than the dataset.

    A label outside the head would otherwise stop the run at the first batch that has one, and a head that is too
    large would never be noticed. The same goes for the parts of part segmentation. Models with other heads pass.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare with the training set."""
        self._check(runner, runner.train_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Compare with the test set."""
        self._check(runner, runner.test_dataloader.dataset)

    def _check(self, runner: Runner, dataset: object) -> None:
        metainfo = getattr(dataset, 'metainfo', None) or {}
        model = unwrap(runner.model)
        name = 'bbox_head' if hasattr(model, 'bbox_head') else 'head'  # mmdet3d's detectors have the former
        head = getattr(model, name, None)
        classes, parts = metainfo.get('classes'), metainfo.get('class_parts')
        num_classes = getattr(head, 'num_classes', None)
        if classes is not None and num_classes is not None and len(classes) != num_classes:
            raise ConfigError(
                f'{type(dataset).__name__} has {len(classes)} classes, but model.{name}.num_classes is '
                f'{num_classes}, so labels would fall outside the head; set it to {len(classes)}.'
            )
        expected = getattr(head, 'parts_per_category', None)
        if expected is None:
            return
        if parts is None:
            raise ConfigError(
                f'{type(dataset).__name__} has no parts, but the head segments parts; use another dataset.'
            )
        if (found := tuple(len(ids) for ids in parts.values())) != expected:
            raise ConfigError(
                f'{type(dataset).__name__} has {found} parts per category, but model.head.parts_per_category is '
                f'{expected}; set it to what the dataset has.'
            )
