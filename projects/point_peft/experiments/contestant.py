"""A model that takes part in a comparison of costs, and what it is measured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import Tensor

from ..backbones import PointBackbone
from ..engine.checkpoint import base_fingerprint, checkpoint_sizes
from ..engine.config import load_config
from ..engine.config.tiers import check_tiers
from ..engine.fitting import wrapper_of
from ..engine.hooks.training_views import TrainingViewsHook, example_results, reason_against_model, refusal
from ..engine.runtime.compiling import compile_training
from ..io.errors import ConfigError
from ..methods import fitted_methods
from ..methods.training_views import TrainingViews
from ..registry import DATASETS, MODELS
from ..structures import PointDataSample

SEGMENTORS = ('PartSegmentor', 'SceneSegmentor')
"""Models that random clouds of one class are no batch for."""

DTYPES = ('float32', 'bfloat16')
"""What training steps can be measured in."""


@dataclass(frozen=True)
class Conditions:
    """What all configs are measured with.

    Attributes:
        batch_size (int): Clouds per step.
        num_points (int): Points of the random clouds; rooms have their own.
        bank_size (int): Clouds in the memory bank.
        threads (int): Of torch.
        device (str): Where.
        repeats (int): Of which the median counts.
        dtype (str): ``float32``, or ``bfloat16`` for training steps under autocast, as with ``--amp``.
    """

    batch_size: int = 8
    num_points: int = field(default=2048, metadata=dict(help='of random clouds; rooms have their own'))
    bank_size: int = field(default=11392, metadata=dict(help='clouds in the memory bank'))
    threads: int = 2
    device: str = 'cpu'
    repeats: int = field(default=10, metadata=dict(help='of which the median counts'))
    dtype: str = field(
        default='float32',
        metadata=dict(
            help='what training steps compute in; bfloat16 is what --amp of train.py does on a CPU'
        ),
    )


class Contestant:
    """A model with its optimizer, all random, and a batch: random clouds, or rooms of a detector's own training set.

    Args:
        config (str): Config file or name.
        conditions (Conditions): Sizes and device.
        options (Mapping | None): ``--cfg-options``.

    Where the config keeps augmented views (:class:`TrainingViewsHook`), training steps are those of the epochs in which
    all views have been seen.

    Raises:
        ConfigError: It segments, or keeps views where that cannot be.
    """

    def __init__(self, config: str, conditions: Conditions, options: Mapping[str, str] | None = None) -> None:
        cfg = load_config(config, options)
        check_tiers(cfg)
        if cfg.model.type in SEGMENTORS:
            raise ConfigError(
                f'{config}: costs are measured on classification and detection; choose such a task.'
            )
        init_default_scope('point_peft')
        torch.manual_seed(0)
        preprocessor = cfg.get('data_preprocessor')
        self.model: BaseModel = MODELS.build({'data_preprocessor': preprocessor, **cfg.model}).to(
            conditions.device
        )
        for method in fitted_methods(self.model).values():
            described = torch.randn(
                conditions.bank_size, wrapper_of(self.model, method).embed_dim, device=conditions.device
            )
            method.fit(partial(_given, described), range(conditions.bank_size))
        for module in self.model.modules():
            if isinstance(module, PointBackbone):  # of random weights nothing would be frozen in an adapter
                module.pretrained_names = list(module.state_dict())
        base_fingerprint(self.model)
        if not compile_training(self.model, cfg) and cfg.get('compile'):
            raise ConfigError(f'{config}: of detectors nothing is compiled here; leave compile out.')
        if conditions.dtype == 'bfloat16':
            cfg.optim_wrapper.type = 'BFloat16OptimWrapper'
        self.optim_wrapper: OptimWrapper = build_optim_wrapper(self.model, cfg.optim_wrapper)
        self.batch_size = conditions.batch_size
        self.detects = 'bbox_head' in cfg.model
        self.batch = (
            rooms(cfg, conditions.batch_size)
            if self.detects
            else clouds(conditions.batch_size, conditions.num_points)
        )
        self.device = conditions.device
        if any(hook and hook.get('type') == TrainingViewsHook.__name__ for hook in hooks_of(cfg)):
            self._keep_views()

    def train_step(self) -> None:
        """Augment, forward, backward, clip and step, as the Runner does."""
        self.model.train()
        self.model.train_step(self.batch, self.optim_wrapper)

    @torch.no_grad()
    def infer(self) -> Any:
        """Logits of the batch in eval mode, or the boxes of its rooms."""
        self.model.eval()
        if self.detects:
            return self.model.test_step(self.batch)
        points = torch.stack(self.batch['inputs']['points'])
        return self.model(dict(points=points.to(self.device)), mode='tensor')

    def _keep_views(self) -> None:
        """Let the first training step keep what it makes of the clouds, for the next ones."""
        model: Any = self.model
        if problem := reason_against_model(model):
            raise refusal(problem)
        views = TrainingViews(self.batch_size, num_views=1)
        views.make_room(example_results(model, self.batch))
        model.data_preprocessor.training_views = model.backbone.training_views = views

    def counts_of_the_optimizer(self) -> list[Tensor]:
        """The steps that it counts for each parameter, which are on the host for any device."""
        states = self.optim_wrapper.optimizer.state.values()
        return [state['step'] for state in states if isinstance(state.get('step'), Tensor)]

    def sizes(self) -> dict[str, float]:
        """MB that are stored per task, after a training step."""
        sizes = checkpoint_sizes(self.model)
        return {'adapter_mb': sizes.adapter, 'bank_mb': sizes.fitted}

    def parameters(self) -> dict[str, int]:
        """Number of parameters, and of those that are trained."""
        sizes = [(p.numel(), p.requires_grad) for p in self.model.parameters()]
        return {
            'parameters': sum(n for n, _ in sizes),
            'trainable': sum(n for n, trained in sizes if trained),
        }


def hooks_of(cfg: Config) -> list[Any]:
    """Configs of all hooks of a config."""
    return [*cfg.get('default_hooks', {}).values(), *(cfg.get('custom_hooks') or [])]


def _given(described: Tensor, dataset: Any, tokens: Any) -> Tensor:
    """Descriptors that are not those of any clouds."""
    return described


def clouds(batch_size: int, num_points: int) -> dict[str, Any]:
    """Random clouds of one class, as a data loader gives them."""
    samples = [PointDataSample(metainfo=dict(sample_idx=index)) for index in range(batch_size)]
    for sample in samples:
        sample.gt_label = torch.tensor(0)
    return dict(inputs=dict(points=list(torch.randn(batch_size, num_points, 3))), data_samples=samples)


def rooms(cfg: Config, batch_size: int) -> dict[str, Any]:
    """The first rooms of the training set of a detector's config, repeated if there are too few."""
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    return pseudo_collate([dataset[index % len(dataset)] for index in range(batch_size)])
