"""Properties of Point-PEFT in ``paper`` mode, all its methods together, and its size at full scale."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_models import METHODS, POINT_PEFT, build_classifier, clouds, fill_bank, logits, train
from torch.nn import functional as F

from point_peft.engine.config import load_config
from point_peft.models import PointClassifier
from point_peft.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
every_method = pytest.mark.parametrize('method', METHODS)


@pytest.fixture
def model() -> PointClassifier:
    """Point-PEFT with a filled bank, at weights at which every part matters."""
    model = build_classifier(POINT_PEFT)
    fill_bank(model)
    return model


@every_method
def test_logits_do_not_depend_on_the_batch(method: str) -> None:
    """A cloud alone, among eight, in another order and beside other clouds: 1e-5."""
    model = build_classifier(METHODS[method])
    fill_bank(model)
    points = clouds(8)
    together = logits(model, points)
    alone = torch.cat([logits(model, cloud[None]) for cloud in points])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(logits(model, points[order]), together[order], atol=1e-5, rtol=0)
    others = torch.cat([clouds(5, seed=3) * 4, points[:3]])
    torch.testing.assert_close(logits(model, others)[5:], together[:3], atol=1e-5, rtol=0)
    assert together.std(dim=0).min() > 1e-2  # the clouds themselves matter far more


@every_method
def test_logits_do_not_depend_on_the_order_of_points(method: str) -> None:
    """Beyond the first point, where farthest point sampling starts."""
    model = build_classifier(METHODS[method])
    fill_bank(model)
    points = clouds()
    expected = logits(model, points)
    order = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(63)])
    torch.testing.assert_close(logits(model, points[:, order]), expected, atol=1e-5, rtol=0)
    assert (logits(model, points.roll(1, dims=1)) - expected).abs().max() > 1e-3


def test_positions_are_absolute(model: PointClassifier) -> None:
    """Moving a cloud changes its logits, as in Point-MAE: positions are absolute, only neighbourhoods are not."""
    moved = logits(model, clouds() + torch.tensor([0.5, 0.0, 0.0]))
    assert (moved - logits(model, clouds())).abs().max() > 1e-2


def test_gradients_in_training(model: PointClassifier) -> None:
    """No dead parameters: what is created and trainable gets a gradient, and what is frozen gets none."""
    model.train()
    torch.manual_seed(0)
    loss = F.cross_entropy(logits_with_graph(model), torch.arange(8) % 5)
    loss.backward()
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    live = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert live == names


def test_fresh_model_learns() -> None:
    """From the methods' own initial values the loss falls, and every tuned parameter moves within a few steps."""
    model = build_classifier(POINT_PEFT, fresh=True, drop_path_rate=0.0)
    fill_bank(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    losses = train(model, steps=8, lr=0.01)
    assert losses[-1] < losses[0]
    after = dict(model.named_parameters())
    assert all(not torch.equal(value, after[name]) for name, value in before.items())


def test_autocast(model: PointClassifier) -> None:
    """Mixed precision (``--amp``) gives finite losses and gradients, close to those in full precision."""
    exact = logits(model, clouds())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        rough = logits(model, clouds())
        loss = F.cross_entropy(logits_with_graph(model.train()), torch.arange(8) % 5)
    assert (rough - exact).abs().max() < 0.1 * exact.abs().max()
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_float64(model: PointClassifier) -> None:
    """In float64 the same logits to 1e-4; nothing falls back to float32."""
    exact = logits(model, clouds())
    double = logits(model.double(), clouds().double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), exact, atol=1e-4, rtol=0)


@pytest.mark.parametrize('dataset', ['scanobjnn', 'modelnet40', 'shapes'])
def test_share_of_trainable_parameters(dataset: str) -> None:
    """At full size under 5 % of the parameters are trained; frozen ones are all those of Point-MAE but a few."""
    config = load_config(ROOT / 'configs' / 'point_peft' / f'pointmae_{dataset}.py')
    with torch.device('meta'):
        model = MODELS.build(config.model)
        plain = MODELS.build(load_config(ROOT / 'configs' / 'full' / f'pointmae_{dataset}.py').model)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    added = sum(p.numel() for p in model.backbone.methods.parameters())
    assert total == sum(p.numel() for p in plain.parameters()) + added
    assert trainable / total < 0.05
    assert all(p.requires_grad for p in plain.parameters())


def test_trainable_parameters_of_scanobjectnn() -> None:
    """By hand, part by part: those of the release without what takes no part there."""
    config = load_config(ROOT / 'configs' / 'point_peft' / 'pointmae_scanobjnn.py')
    with torch.device('meta'):
        model = MODELS.build(config.model)
    prompts = 6 * (10 * 384 + 384 * 8 + 8 + 8 * 384 + 384)
    adapters = 2 * 12 * (384 * 16 + 16 + 16 * 384 + 384)
    local = 384 * 54 + 18 * 384 + 384 + 2 * 384 + 12 * 2 * 384
    in_place = 12 * (4 * 384 + 4 * 384) + 2 * 384 + 2 * 384
    head = 768 * 256 + 256 * 256 + 256 * 15 + 6 * 256 + 15
    assert head == 267_535
    # the release trains 62 268 parameters that never get a gradient and the coordinates of its prompts
    assert prompts + adapters + local + in_place + head == 773_017 - 62_268 - 30
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 710_719


def logits_with_graph(model: PointClassifier) -> torch.Tensor:
    """Logits of eight clouds."""
    return model(dict(points=clouds(8, seed=9)), mode='tensor')
