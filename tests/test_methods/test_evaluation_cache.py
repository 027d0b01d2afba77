"""Results of frozen weights are kept between evaluations, and are those that would be computed."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from small_models import build_classifier, clouds
from torch import Tensor, nn

from point_peft.methods.evaluation_cache import EvaluationCache

METHODS: list[dict[str, Any]] = [
    dict(type='PointPriorPrompt', num_tokens=4, hidden_dim=4),
    dict(type='GeometryAwareAdapter', num_neighbors=4),
]


@pytest.fixture
def model() -> nn.Module:
    model = build_classifier(METHODS)
    model.backbone.methods[0].bank.fill(torch.randn(20, model.backbone.embed_dim))
    return model.eval()


def evaluate(model: nn.Module, points: Tensor) -> Tensor:
    with torch.no_grad():
        return model(dict(points=points))


def count_calls(module: nn.Module, name: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    original = getattr(module, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return original(*args, **kwargs)

    monkeypatch.setattr(module, name, counted)
    return calls


def test_the_second_evaluation_computes_what_is_tuned_alone(
    model: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, also when the tuned weights have changed meanwhile."""
    points, other = clouds(3), clouds(3, seed=9)
    expected = [evaluate(model, points), evaluate(model, other)]
    model.backbone.evaluation_cache = EvaluationCache(100)
    embeds = count_calls(model.backbone.backbone, 'embed', monkeypatch)
    queries = count_calls(model.backbone.backbone, 'summarize', monkeypatch)
    for _ in range(2):
        assert torch.equal(evaluate(model, points), expected[0])
        assert torch.equal(evaluate(model, other), expected[1])
    assert len(embeds) == len(queries) == 2
    with torch.no_grad():
        model.backbone.methods[0].embeddings[0].add_(1.0)
    changed = evaluate(model, points)
    assert len(embeds) == len(queries) == 2
    model.backbone.evaluation_cache = None
    assert torch.equal(changed, evaluate(model, points)) and not torch.equal(changed, expected[0])


def test_training_and_gradients_compute_everything(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same clouds, seen before by an evaluation."""
    points = clouds(3)
    model.backbone.evaluation_cache = EvaluationCache(100)
    evaluate(model, points)
    embeds = count_calls(model.backbone.backbone, 'embed', monkeypatch)
    model(dict(points=points))
    model.train()
    evaluate(model, points)
    assert len(embeds) == 2


def test_a_tuned_embedding_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights change; the query is of the pre-trained ones."""
    model = build_classifier([METHODS[0], dict(type='SelectiveTuning', embedding=True)])
    model.backbone.methods[0].bank.fill(torch.randn(20, model.backbone.embed_dim))
    model.eval().backbone.evaluation_cache = EvaluationCache(100)
    embeds = count_calls(model.backbone.backbone, 'embed', monkeypatch)
    queries = count_calls(model.backbone.backbone, 'summarize', monkeypatch)
    for _ in range(2):
        evaluate(model, clouds(3))
    assert len(embeds) == 2 and len(queries) == 1


def test_nothing_is_kept_of_clouds_that_a_method_moves() -> None:
    """They would fill the room with what is never asked for again."""
    model = build_classifier([dict(type='GAPrompt', num_tokens=4, num_neighbors=4)]).eval()
    cache = model.backbone.evaluation_cache = EvaluationCache(100)
    evaluate(model, clouds(3))
    assert not cache.results


def test_what_does_not_fit_is_computed(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for a query and no embedding, then for nothing."""
    points = clouds(3)
    expected = evaluate(model, points)
    cache = model.backbone.evaluation_cache = EvaluationCache(3 * model.backbone.embed_dim * 4 / 2**20)
    embeds = count_calls(model.backbone.backbone, 'embed', monkeypatch)
    queries = count_calls(model.backbone.backbone, 'summarize', monkeypatch)
    for _ in range(3):
        assert torch.equal(evaluate(model, points), expected)
    assert len(embeds) == 3 and len(queries) == 1 and cache.room == 0
    evaluate(model, clouds(2))
    assert len(queries) == 2 and len(cache.results) == 1  # nothing at all of the other batch


def test_shape_and_type_are_part_of_the_content() -> None:
    """Zeros of any shape have the same bytes."""
    cache = EvaluationCache(1)
    for points in (torch.zeros(2, 6, 3), torch.zeros(3, 4, 3), torch.zeros(1, 6, 3, dtype=torch.float64)):
        shape = cache.batch(points).get('shape', lambda points=points: points)
        assert shape.shape == points.shape and shape.dtype == points.dtype


def test_a_copy_begins_with_nothing(model: nn.Module) -> None:
    """And with the room that is left."""
    model.backbone.evaluation_cache = EvaluationCache(5)
    evaluate(model, clouds(2))
    copy = deepcopy(model).backbone.evaluation_cache
    assert not copy.results and copy.room == model.backbone.evaluation_cache.room
