"""Views of training clouds are drawn and embedded once, and training on them is as on others."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from small_models import build_classifier, clouds, fill_bank, methods_for, samples
from torch import Tensor, nn

from point_peft.backbones.layers import DropPath
from point_peft.methods.evaluation_cache import EvaluationCache, NothingKept, tensors_of
from point_peft.methods.training_views import POINTS, TrainingViews, bytes_per_cloud
from point_peft.models import PointDataPreprocessor

NUM_CLOUDS = 6
PREPROCESSOR = dict(num_points=48, num_candidates=56, augments=[dict(type='RandomJitter')])


def methods(name: str = 'PointMAE', **prompt: Any) -> list[dict[str, Any]]:
    first, *others = methods_for(name)['point_peft']
    return [first | prompt, *others]


def with_views(name: str = 'PointMAE', *, num_views: int = 2, **prompt: Any) -> nn.Module:
    """A classifier in training that keeps views of six clouds, and draws nothing but these."""
    model = build_classifier(methods(name, **prompt), name=name)
    fill_bank(model)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, DropPath):
            module.rate = 0.0
    model.data_preprocessor = PointDataPreprocessor(**PREPROCESSOR)
    views = TrainingViews(NUM_CLOUDS, num_views)
    cache = model.backbone.evaluation_cache = EvaluationCache(100)
    points = clouds(2, 48)
    with torch.no_grad():
        model(dict(points=points))
    views.make_room({POINTS: points, **{key: value for (_, key), value in cache.results.items()}})
    model.data_preprocessor.training_views = model.backbone.training_views = views
    return model.train()


def batch(places: list[int]) -> dict[str, Any]:
    """Some of six clouds, as the data loader gives them."""
    found = samples([0] * NUM_CLOUDS)
    points = clouds(NUM_CLOUDS)
    return dict(inputs=dict(points=[points[i] for i in places]), data_samples=[found[i] for i in places])


def step(model: nn.Module, data: dict[str, Any]) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Points and logits of a training batch, and the gradients of a loss."""
    data = model.data_preprocessor(data, True)
    inputs, found = data['inputs'], data['data_samples']
    logits = model(inputs, found, mode='tensor')
    model.zero_grad()
    logits.square().sum().backward()
    return inputs['points'], logits.detach(), [p.grad.clone() for p in model.parameters() if p.requires_grad]


def count(model: nn.Module, name: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that a member of the plain backbone has been called with."""
    calls: list[int] = []
    original = getattr(model.backbone.backbone, name)

    def counted(first: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(len(first if isinstance(first, Tensor) else first.features))
        return original(first, *args, **kwargs)

    monkeypatch.setattr(model.backbone.backbone, name, counted)
    return calls


@pytest.mark.parametrize('name', ['PointMAE', 'PointBERT', 'ReCon', 'PointGPT', 'PointM2AE'])
def test_as_if_computed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time nothing is embedded, and logits and gradients are those of the same points without views."""
    model = with_views(name)
    embeds, queries = count(model, 'embed', monkeypatch), count(model, 'summarize', monkeypatch)
    first = step(model, batch([4, 0, 2]))
    again = step(model, batch([4, 0, 2]))
    assert embeds == queries == [3]
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert all(map(torch.equal, first[2], again[2]))
    other_order = step(model, batch([2, 4, 0]))
    assert embeds == [3] and torch.equal(other_order[0], first[0][[2, 0, 1]])
    model.data_preprocessor.training_views = model.backbone.training_views = None
    model.data_preprocessor.augments, model.data_preprocessor.num_points = [], None
    computed = step(
        model, dict(inputs=dict(points=list(first[0])), data_samples=batch([4, 0, 2])['data_samples'])
    )
    assert embeds == [3, 3]
    assert torch.equal(computed[1], again[1]) and all(map(torch.equal, computed[2], again[2]))


def test_other_views_are_other_draws() -> None:
    """And each comes back."""
    model = with_views(num_views=3)
    views = model.backbone.training_views
    found = []
    for view in (0, 1, 2, 0, 1, 2):
        views.view = view
        found.append(step(model, batch([1, 3]))[0])
    assert all(map(torch.equal, found[:3], found[3:]))
    assert not torch.equal(found[0], found[1]) and not torch.equal(found[1], found[2])


def test_some_that_were_seen_and_some_that_were_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is embedded, the clouds that were seen before as they were then; all are kept now."""
    model = with_views()
    embeds = count(model, 'embed', monkeypatch)
    first = step(model, batch([0, 1, 2]))
    mixed = step(model, batch([5, 1, 0]))
    assert embeds == [3, 3] and torch.equal(mixed[0][1:], first[0][[1, 0]])
    filled = model.backbone.training_views.kept['tokens'].filled
    assert filled.tolist() == [[True, True, True, False, False, True], [False] * 6]
    again = step(model, batch([5, 1, 0]))
    assert embeds == [3, 3]
    torch.testing.assert_close(again[1], mixed[1], atol=1e-6, rtol=1e-6)
    for one, other in zip(again[2], mixed[2]):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_a_cloud_twice_in_a_batch() -> None:
    """Both are the first, so that points and embedding belong together."""
    model = with_views()
    points, logits, _ = step(model, batch([3, 1, 3]))
    assert torch.equal(points[0], points[2])
    torch.testing.assert_close(logits[0], logits[2], atol=1e-5, rtol=0)
    assert torch.equal(step(model, batch([3, 1, 3]))[0], points)


def test_queries_of_the_bank_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both approximations nothing of the pre-trained backbone is asked for twice, and no query at all."""
    model = with_views(training_query='bank')
    embeds, queries = count(model, 'embed', monkeypatch), count(model, 'summarize', monkeypatch)
    first, again = step(model, batch([0, 1])), step(model, batch([0, 1]))
    assert embeds == [2] and not queries
    assert torch.equal(first[1], again[1])


def test_evaluations_and_other_clouds_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is of the batch that the preprocessor gave last."""
    model = with_views()
    step(model, batch([0, 1]))
    model.backbone.evaluation_cache = None
    embeds = count(model, 'embed', monkeypatch)
    model(dict(points=clouds(2)))
    model.eval()
    data = model.data_preprocessor(batch([0, 1]), False)
    model(data['inputs'])
    assert embeds == [2, 2]
    assert isinstance(TrainingViews(1, 1).batch(clouds(1)), NothingKept)


def test_what_there_is_no_room_for_is_computed() -> None:
    """A result that was not there when room was made; and one that changes in training."""
    model = with_views()
    data = model.data_preprocessor(batch([0, 1]), True)
    kept = model.backbone.training_views.batch(data['inputs']['points'])
    for _ in range(2):
        assert kept.get('other', lambda: torch.ones(2)).tolist() == [1.0, 1.0]
        assert kept.get('tokens', lambda: 'computed', is_frozen=False) == 'computed'
    assert not model.backbone.training_views.kept['tokens'].filled.any()


def test_clouds_of_another_size() -> None:
    """One sentence that says what to set."""
    model = with_views()
    model.data_preprocessor.num_points = None
    with pytest.raises(ValueError, match=r'differ in size: \(64, 3\) after \(48, 3\).*set num_points'):
        step(model, batch([0, 1]))


def test_room() -> None:
    """All tensors of a result count, for each cloud once."""
    model = with_views(num_views=3)
    views = model.backbone.training_views
    arrays = [array for rows in views.kept.values() for array in rows.arrays]
    assert all(array.shape[:2] == (3, NUM_CLOUDS) for array in arrays)
    tokens = model.backbone.embed(clouds(5, 48))
    assert len(views.kept['tokens'].arrays) == len(list(tensors_of(tokens))) == 5
    size = bytes_per_cloud({POINTS: clouds(5, 48), 'tokens': tokens, 'query': torch.zeros(5, 48)})
    assert sum(array.nbytes for array in arrays) == size * 3 * NUM_CLOUDS


def test_a_copy_keeps_nothing() -> None:
    """It may get other weights."""
    copy = deepcopy(with_views())
    assert copy.backbone.training_views is None and copy.data_preprocessor.training_views is None
