"""A tiny tuned model with its data: a frozen backbone, an adapter, a head and a bank."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

from point_peft.engine.config import drop_absent_hooks
from point_peft.io.weights import load_checkpoint_file
from point_peft.methods import FittedMethod
from point_peft.registry import DATASETS, HOOKS, METRICS, MODELS
from point_peft.structures import PointDataSample

NUM_CLASSES = 3


@DATASETS.register_module()
class ToyClouds(Dataset):
    """Random clouds of three classes that differ in their mean."""

    METAINFO = dict(classes=('a', 'b', 'c'))

    def __init__(self, data_root: str = '', *, size: int = 24, seed: int = 0) -> None:
        self.metainfo = self.METAINFO
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(size) % NUM_CLASSES
        self.points = torch.randn(size, 8, 3, generator=generator) + self.labels[:, None, None]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict:
        sample = PointDataSample(metainfo=dict(sample_idx=index))
        sample.gt_label = self.labels[index]
        return dict(inputs=dict(points=self.points[index]), data_samples=sample)


class ToyBackbone(nn.Module):
    """Linear layer and batch norm that a pre-trained file fills; both frozen, but for the layer's bias."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 16)
        self.norm = nn.BatchNorm1d(16)
        self.requires_grad_(False)
        self.linear.bias.requires_grad_(True)

    def forward(self, points: Tensor) -> Tensor:
        return self.norm(self.linear(points).amax(dim=1))

    def train(self, mode: bool = True) -> ToyBackbone:
        super().train(mode)
        self.norm.eval()
        return self


class ToyBank(FittedMethod):
    """Rows that are there from the beginning, and kept in a file of their own."""

    fitted_name = 'memory bank'
    fitted_key = 'bank'

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('rows', torch.arange(6.0).reshape(2, 3))

    def fit(self, describe: Any, dataset: Any) -> None:
        self.rows = describe(dataset, lambda tokens: tokens)

    def external_state(self) -> dict[str, Tensor]:
        return {'rows': self.rows}


@MODELS.register_module()
class ToyModel(BaseModel):
    """Frozen backbone, trained adapter with dropout, head with batch norm, and a bank."""

    def __init__(
        self,
        pretrained: str | None = None,
        num_classes: int = NUM_CLASSES,
        hidden_dim: int = 4,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.pretrained = pretrained
        self.loaded: list[str] = []
        self.backbone = ToyBackbone()
        self.adapter = nn.Sequential(
            nn.Linear(16, hidden_dim), nn.GELU(), nn.Dropout(0.2), nn.Linear(hidden_dim, 16)
        )
        self.head = nn.Sequential(nn.BatchNorm1d(16), nn.Linear(16, num_classes))
        self.bank = ToyBank()

    def init_weights(self) -> None:
        super().init_weights()
        if self.pretrained:
            state = load_checkpoint_file(self.pretrained)['state_dict']
            self.backbone.load_state_dict(state)
            self.loaded = [f'backbone.{name}' for name in state]

    def base_state(self) -> dict[str, Tensor]:
        state = self.state_dict()
        return {name: state[name] for name in self.loaded}

    def forward(
        self,
        inputs: dict[str, Any],
        data_samples: Sequence[PointDataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        features = self.backbone(torch.stack(list(inputs['points'])))
        logits = self.head(features + self.adapter(features))
        if mode == 'tensor':
            return logits
        if mode == 'loss':
            return dict(
                loss=nn.functional.cross_entropy(logits, torch.stack([s.gt_label for s in data_samples]))
            )
        for sample, label in zip(data_samples, logits.argmax(dim=1), strict=False):
            sample.pred_label = label
        return data_samples


@METRICS.register_module()
class ToyAccuracy(BaseMetric):
    """Accuracy in percent, under the names of the project."""

    default_prefix = ''

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        self.results.extend(float(sample['pred_label'] == sample['gt_label']) for sample in data_samples)

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        accuracy = 100 * sum(results) / len(results)
        return dict(overall_accuracy=accuracy, mean_class_accuracy=accuracy)


class Scores(Hook):
    """Replaces the validation metric by given scores, one per epoch."""

    priority = 'HIGHEST'

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        metrics['overall_accuracy'] = self.scores.pop(0)


@HOOKS.register_module()
class LossRecorder(Hook):
    """Keeps the losses of all steps, in a file at the end of each epoch."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.losses: list[float] = []

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.losses.append(outputs['loss'].item())

    def after_train_epoch(self, runner: Any) -> None:
        torch.save(torch.tensor(self.losses), self.path)


@HOOKS.register_module()
class DyingRank(Hook):
    """Kills one process in the first epoch."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if get_rank() == self.rank:
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class Poison(Hook):
    """Makes a number of one step (counted from 1) infinite or NaN, on all processes or on one.

    Args:
        step (int): The step.
        place (str): ``data``: the points of its batch; or the name of a tensor of the model, after the step.
        value (str): ``nan`` or ``inf``.
        rank (int | None): The process; None means all.
    """

    def __init__(self, step: int, place: str = 'data', value: str = 'nan', rank: int | None = None) -> None:
        self.step, self.place, self.value, self.rank = step, place, float(value), rank

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if self.place == 'data' and self._is_due(runner):
            data_batch['inputs']['points'][0].fill_(self.value)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if self.place != 'data' and self._is_due(runner):
            model = getattr(runner.model, 'module', runner.model)
            model.state_dict()[self.place].view(-1)[0] = self.value

    def _is_due(self, runner: Any) -> bool:
        return runner.iter + 1 == self.step and self.rank in (None, get_rank())


@HOOKS.register_module()
class StateDump(Hook):
    """Writes the model's state of every process at the end."""

    def __init__(self, path: str) -> None:
        self.path = path

    def after_train(self, runner: Any) -> None:
        model = getattr(runner.model, 'module', runner.model)
        torch.save(model.state_dict(), self.path.format(rank=get_rank()))


def write_pretrained(path: Path, seed: int = 7) -> Path:
    """Write a pre-trained file for the toy's backbone."""
    torch.manual_seed(seed)
    torch.save(dict(state_dict=ToyBackbone().state_dict()), path)
    return path


def make_config(work_dir: Path, pretrained: Path | None = None, *, epochs: int = 3, **changes: Any) -> Config:
    """Config of a toy run on the project's default runtime; ``changes`` as for ``--cfg-options``."""
    root = Path(__file__).resolve().parents[1]
    cfg = Config.fromfile(root / 'configs/_base_/default_runtime.py')
    cfg.merge_from_dict(Config.fromfile(root / 'configs/_base_/schedules/adamw_mini.py').to_dict())
    loader = dict(batch_size=6, num_workers=0, collate_fn=dict(type='pseudo_collate'))
    cfg.merge_from_dict(
        dict(
            work_dir=str(work_dir),
            experiment_name=uuid.uuid4().hex,
            model=dict(type='ToyModel', pretrained=None if pretrained is None else str(pretrained)),
            train_dataloader=dict(
                dataset=dict(type='ToyClouds'), sampler=dict(type='DefaultSampler', shuffle=True), **loader
            ),
            val_dataloader=dict(
                dataset=dict(type='ToyClouds', size=12, seed=1),
                sampler=dict(type='DefaultSampler', shuffle=False),
                **loader,
            ),
            test_dataloader=dict(
                dataset=dict(type='ToyClouds', size=12, seed=2),
                sampler=dict(type='DefaultSampler', shuffle=False),
                **loader,
            ),
            val_evaluator=dict(type='ToyAccuracy'),
            test_evaluator=dict(type='ToyAccuracy'),
            custom_hooks=[],
        )
    )
    cfg.train_cfg.max_epochs = epochs
    cfg.default_hooks.fit = None  # the toy's bank is always there
    cfg.merge_from_dict(changes)
    drop_absent_hooks(cfg)
    return cfg
