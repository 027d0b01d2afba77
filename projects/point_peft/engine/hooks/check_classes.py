"""Hook that compares the head with the data, and both with what a checkpoint was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...io.errors import ConfigError, OtherClassesError
from ...io.weights import from_plain
from ...registry import HOOKS
from ...registry.wrappers import unwrap
from ..checkpoint.class_names import check_same_names
from ..checkpoint.new_head import keep_own_head

ADVICE = (
    'give the dataset the same names in the same order, or, if they mean the same, set '
    'default_hooks.check_classes.allow_other_names=True'
)

ADVICE_FOR_START = f'to train a new head, set default_hooks.check_classes.new_head=True; or {ADVICE}'


@HOOKS.register_module()
class CheckClassesHook(Hook):
    """Refuse a head that has another number of classes than the dataset, and classes by other names.

    A label outside the head would otherwise stop the run at the first batch that has one, and a head that is too
    large would never be noticed. The same goes for the parts of part segmentation. Models with other heads pass.

    Labels go by position, so the names of classes and parts must be those of the checkpoint, in its order, when it is
    tested, resumed or started from; and validation and test must have those of the training set. Files that do not name
    theirs, as converted ones, are taken at their word, with a line in the log.

    Args:
        new_head (bool): When a training starts from a checkpoint (``load_from``), take all but its head.
        allow_other_names (bool): Only warn about other names.
    """

    def __init__(self, new_head: bool = False, allow_other_names: bool = False) -> None:
        self.new_head = new_head
        self.allow_other_names = allow_other_names

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the names with the checkpoint's; for a new head, take the checkpoint's out first."""
        source = str(runner._load_from or 'the checkpoint')
        is_start = runner._train_loop is not None and not runner._resume
        if 'meta' in checkpoint:
            checkpoint['meta'] = from_plain(checkpoint['meta'] or {})
        if is_start and self.new_head:
            checkpoint.setdefault('state_dict', dict(checkpoint))  # files of others may be bare state dicts
            keep_own_head(runner.model, checkpoint, source)
            return
        known = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
        advice = ADVICE_FOR_START if is_start else ADVICE
        for dataset in _datasets(runner):
            if not known.get('classes') and _metainfo(dataset).get('classes') is not None:
                runner.logger.info(
                    f'{source} does not name its classes; they are taken to be those of {type(dataset).__name__}'
                )
                return
            self._compare(runner, known, dataset, source, advice)

    def before_train(self, runner: Runner) -> None:
        """Compare the head with the training set, and that with the validation set."""
        dataset = runner.train_dataloader.dataset
        _check_head(runner, dataset)
        if runner.val_loop is not None:
            self._compare(runner, _metainfo(dataset), runner.val_dataloader.dataset, 'this run', ADVICE)

    def before_test(self, runner: Runner) -> None:
        """Compare the head with the test set."""
        _check_head(runner, runner.test_dataloader.dataset)

    def before_test_epoch(self, runner: Runner) -> None:
        """Compare the test set with the training set, where a training evaluates it."""
        if runner._train_loop is not None:
            known = _metainfo(runner.train_dataloader.dataset)
            self._compare(runner, known, runner.test_dataloader.dataset, 'this run', ADVICE)

    def _compare(
        self, runner: Runner, known: Mapping[str, Any], dataset: object, source: str, advice: str
    ) -> None:
        """Compare names, and warn only where that is wanted."""
        try:
            check_same_names(known, _metainfo(dataset), source, type(dataset).__name__, advice=advice)
        except OtherClassesError as error:
            if not self.allow_other_names:
                raise
            runner.logger.warning(f'going on all the same: {error}')


def _datasets(runner: Runner) -> list[object]:
    """The datasets that the runner has built when it loads a checkpoint: one, but for a training with validation."""
    loops = (runner._train_loop, runner._val_loop, runner._test_loop)
    return [loop.dataloader.dataset for loop in loops if hasattr(loop, 'dataloader')]


def _metainfo(dataset: object) -> Mapping[str, Any]:
    return getattr(dataset, 'metainfo', None) or {}


def _check_head(runner: Runner, dataset: object) -> None:
    """Compare the number of outputs with the number of classes, or of the parts of each."""
    metainfo = _metainfo(dataset)
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
