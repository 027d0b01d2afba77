"""Hook that measures what a training leaves of what the backbone knew before."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ...evaluation.features import pooled_features
from ...evaluation.probing import LinearClassifier
from ...io.errors import ConfigError
from ...methods.frozen_storage import store_alike
from ...registry import DATASETS, HOOKS, MODELS
from ...registry.wrappers import unwrap
from ..runtime.randomness import preserved_rng

KEY = 'other_task'
"""Where the message hub and ``protocol.json`` have what was measured."""


@HOOKS.register_module()
class ForgettingHook(Hook):
    """Measures another task after the training, with the tuning methods taken off.

    A linear classifier of that task is fitted to the features of the backbone as pre-trained. Told by it: how accurate
    it was (``before``), how accurate it is on the backbone after the training (``after``), what fitting it anew gives
    (``refitted``), and whether the features are the same to the bit (``unchanged``). Where the training stores frozen
    weights rounded (``frozen_dtype``), so does the backbone that it is compared with: rounding is no forgetting.

    Args:
        train (dict): Config of the other task's training set.
        test (dict): Config of its test set.
    """

    priority = 'LOW'

    def __init__(self, train: dict[str, Any], test: dict[str, Any]) -> None:
        self.configs = (train, test)

    def before_train(self, runner: Runner) -> None:
        """Build the data, so that mistakes show before the training.

        Raises:
            ConfigError: If the backbone is not pre-trained, so that there is nothing to forget.
        """
        if not runner.cfg.model.backbone.get('init_cfg'):
            raise ConfigError(
                'ForgettingHook compares with the backbone as pre-trained, but model.backbone.init_cfg names no '
                'checkpoint; name one, or drop the hook.'
            )
        with preserved_rng():
            self.datasets = [DATASETS.build(config) for config in self.configs]

    def after_train(self, runner: Runner) -> None:
        """Measure and note it."""
        if not is_main_process():
            return
        backbone: Any = unwrap(runner.model).backbone
        with preserved_rng():
            pretrained = MODELS.build(runner.cfg.model.backbone)
            pretrained.init_weights()
            pretrained.to(next(backbone.parameters()).device)
            is_tuned = hasattr(backbone, 'detach')
            plain = backbone.detach() if is_tuned else backbone
            try:
                if is_tuned:
                    _take_fresh_tensors(pretrained, plain)
                    store_alike(pretrained, plain)
                train, test = (
                    pooled_features(pretrained, part, description='before') for part in self.datasets
                )
                parts = [pooled_features(plain, part, description='after') for part in self.datasets]
            finally:
                if is_tuned:
                    backbone.attach()
        classifier = LinearClassifier.fit(train)
        found = dict(
            before=classifier.accuracy(test),
            after=classifier.accuracy(parts[1]),
            refitted=LinearClassifier.fit(parts[0]).accuracy(parts[1]),
            unchanged=torch.equal(test.values, parts[1].values),
        )
        runner.message_hub.update_info(KEY, found)
        runner.logger.info(
            'other task, in percent: before {before:.2f}, after {after:.2f}, refitted {refitted:.2f}'.format(
                **found
            )
            + (', features unchanged to the bit' if found['unchanged'] else ', features changed')
        )


def _take_fresh_tensors(backbone: Any, other: nn.Module) -> None:
    """Take from ``other`` what the checkpoint has not, such as a class token: it starts at random in each of them."""
    fresh = {
        name: value for name, value in other.state_dict().items() if name not in backbone.pretrained_names
    }
    backbone.load_state_dict(fresh, strict=False)
