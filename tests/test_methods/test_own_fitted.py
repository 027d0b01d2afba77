"""A method that is fitted on the training set before training, of one class, that edits nothing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from small_models import METHODS, build_plain, clouds, logits, small_config, write_pretrained
from torch import Tensor, nn

from point_peft.apis import init_model
from point_peft.backbones import PointBackbone
from point_peft.engine.runtime.runner import SparedRunner
from point_peft.io.errors import CheckpointError, ConfigError, FittedStateMismatchError
from point_peft.io.weights import load_checkpoint_file
from point_peft.methods import FittedMethod, TuningContext
from point_peft.methods.fitted import Describe
from point_peft.models import PointClassifier
from point_peft.procedural import ProceduralShapes
from point_peft.registry import MODELS
from point_peft.structures import BackboneFeatures

NAME = 'OwnTrainingStatistics'
FILE = 'training_statistics.safetensors'
BANK = 'memory_bank.safetensors'


class OwnTrainingStatistics(FittedMethod):
    """Adds to all patch tokens how far a cloud's descriptor is from those of the training set, in their units."""

    fitted_name = 'training statistics'
    fitted_key = 'statistics'
    min_clouds = 2

    def setup(self, backbone: PointBackbone) -> None:
        """A learnable weight per channel, and statistics that are not fitted yet."""
        self.weights = nn.Parameter(torch.zeros(backbone.embed_dim))
        self.register_buffer('mean', torch.empty(0))
        self.register_buffer('variance', torch.empty(0))

    def fit(self, describe: Describe, dataset: Any) -> None:
        """Mean and variance (C,) of the training clouds' descriptors."""
        variance, mean = torch.var_mean(describe(dataset, lambda tokens: tokens), dim=0)
        self.load_external_state(dict(mean=mean, variance=variance), len(dataset))

    def external_state(self) -> dict[str, Tensor]:
        """Both of them."""
        return dict(mean=self.mean, variance=self.variance)

    def begin(self, context: TuningContext) -> Tensor | None:
        """The normalised descriptor (B, C)."""
        if not self.is_fitted:
            self.warn_unfitted()
            return None
        return (context.pretrained_summary(context.tokens) - self.mean) / (self.variance + 1e-6).sqrt()

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """Add it to what the head sees."""
        if self.state is None:
            return features
        return replace(features, patches=features.patches + (self.weights * self.state).unsqueeze(1))


@pytest.fixture(autouse=True)
def registered() -> Any:
    """Known for the time of a test only, as what all registered modules must fulfil is tested elsewhere."""
    MODELS.register_module(module=OwnTrainingStatistics)
    yield
    del MODELS.module_dict[NAME]


def config(
    folder: Path, methods: Sequence[Any] = (), *, epochs: int = 1, seed: int = 0, **hooks: Any
) -> Config:
    """A training in ``folder/run`` from weights that are shared by all trainings below ``folder``."""
    weights = folder / 'pretrain.pth'
    if not weights.is_file():
        write_pretrained(weights)
    cfg = small_config(folder / 'run', checkpoint=weights)
    cfg.model.peft.methods = [dict(type=NAME), *methods]
    cfg.experiment_name = uuid.uuid4().hex
    cfg.train_cfg.max_epochs, cfg.train_dataloader.dataset.seed = epochs, seed
    cfg.train_dataloader.num_workers = cfg.val_dataloader.num_workers = cfg.test_dataloader.num_workers = 0
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.persistent_workers = False
    cfg.default_hooks.protocol = cfg.default_hooks.checkpoint.save_best = None
    del cfg.default_hooks['protocol']
    for name, changes in hooks.items():
        cfg.default_hooks[name].update(changes)
    return cfg


def train(cfg: Config, resume: Path | None = None) -> PointClassifier:
    """The model in the end."""
    cfg.load_from, cfg.resume = resume and str(resume), resume is not None
    runner = SparedRunner.from_cfg(cfg)
    runner.train()
    return runner.model.eval()


def test_beside_the_adapter(tmp_path: Path) -> None:
    """Fitted before training, kept in a file of its own, found by ``init_model``, missed where it is not there."""
    model, run = train(config(tmp_path)), tmp_path / 'run'
    file = load_checkpoint_file(run / FILE)
    data, plain = ProceduralShapes(num_samples=32, num_points=64, split='train'), build_plain()
    plain.load_state_dict(model.backbone.backbone.state_dict())
    with torch.no_grad():
        rows = plain.summarize(plain.embed(torch.stack([item['inputs']['points'] for item in data])))
    assert set(file['state_dict']) == {'mean', 'variance'}
    torch.testing.assert_close(file['state_dict']['mean'], rows.mean(dim=0), atol=1e-5, rtol=0)
    torch.testing.assert_close(file['state_dict']['variance'], rows.var(dim=0), atol=1e-5, rtol=0)
    assert file['meta']['provenance'].items() >= dict(dataset='ProceduralShapes', num_samples=32).items()
    adapter = load_checkpoint_file(run / 'epoch_1.pth')
    assert [name for name in adapter['state_dict'] if '.methods.' in name] == ['backbone.methods.0.weights']
    assert adapter['meta']['point_peft']['statistics_hash'] == file['meta']['hash'] != ''
    assert model.backbone.methods[0].weights.abs().sum() > 0

    found = init_model(config(tmp_path), run / 'epoch_1.pth')
    assert torch.equal(logits(found, clouds()), logits(model, clouds()))
    (run / FILE).rename(tmp_path / FILE)
    with pytest.raises(
        CheckpointError, match='trained with training statistics [0-9a-f]{32}, which is in none of'
    ):
        init_model(config(tmp_path), run / 'epoch_1.pth')
    cfg = config(tmp_path, fit=dict(file=str(tmp_path / FILE)))
    assert torch.equal(logits(init_model(cfg, run / 'epoch_1.pth'), clouds()), logits(model, clouds()))


def test_another_training_set(tmp_path: Path) -> None:
    """Refused, in a new training and in one that goes on, which goes on with its own."""
    first, run = train(config(tmp_path)), tmp_path / 'run'
    content = (run / FILE).read_bytes()
    for resume in (None, run / 'epoch_1.pth'):
        with pytest.raises(FittedStateMismatchError, match=rf"statistics .*{FILE} was made with clouds='"):
            train(config(tmp_path, seed=1, epochs=2), resume)
    second = train(config(tmp_path, epochs=2), run / 'epoch_1.pth')
    assert second.backbone.methods[0].content_hash() == first.backbone.methods[0].content_hash() != ''
    assert (run / FILE).read_bytes() == content and (run / 'epoch_2.pth').is_file()
    (run / FILE).unlink()
    with pytest.raises(FittedStateMismatchError, match=r'epoch_2\.pth was trained with training statistics'):
        train(config(tmp_path, seed=1, epochs=3), run / 'epoch_2.pth')


def test_complete_checkpoint(tmp_path: Path) -> None:
    """It has the state, and what that was fitted on, so that going on with other data is refused."""
    model, run = train(config(tmp_path, delta=dict(full=True))), tmp_path / 'run'
    content = load_checkpoint_file(run / 'epoch_1.pth')
    assert {f'backbone.methods.0.{name}' for name in ('mean', 'variance')} < set(content['state_dict'])
    assert content['meta']['point_peft']['statistics'] == model.backbone.methods[0].fitted_on
    (run / FILE).unlink()
    found = init_model(config(tmp_path), run / 'epoch_1.pth')
    assert torch.equal(logits(found, clouds()), logits(model, clouds()))
    with pytest.raises(
        FittedStateMismatchError, match='brings the training statistics of another training set'
    ):
        train(config(tmp_path, seed=1, epochs=2), run / 'epoch_1.pth')


def test_two_such_methods(tmp_path: Path) -> None:
    """Each has a file of its own; one name for both files is refused, and so are two that are called alike."""
    model, run = train(config(tmp_path, METHODS['prompt'])), tmp_path / 'run'
    assert set(load_checkpoint_file(run / BANK)['state_dict']) == {'keys'} and (run / FILE).is_file()
    own = load_checkpoint_file(run / 'epoch_1.pth')['meta']['point_peft']
    assert own['bank_hash'] and own['statistics_hash']
    found = init_model(config(tmp_path, METHODS['prompt']), run / 'epoch_1.pth')
    assert torch.equal(logits(found, clouds()), logits(model, clouds()))
    cfg = config(tmp_path, METHODS['prompt'], fit=dict(file=str(tmp_path / 'one.safetensors')))
    with pytest.raises(
        ConfigError, match='names one file, but the model has a training statistics and a memory bank'
    ):
        train(cfg)
    with pytest.raises(ValueError, match='several methods of the model have a training statistics'):
        train(config(tmp_path, [dict(type=NAME)]))


def test_nothing_fits_it(tmp_path: Path) -> None:
    """A training that would never fit it is refused before its first step."""
    cfg = config(tmp_path)
    del cfg.default_hooks['fit']
    with pytest.raises(
        ConfigError, match=r'the training statistics is empty; set default_hooks\.fit to dict'
    ):
        train(cfg)
