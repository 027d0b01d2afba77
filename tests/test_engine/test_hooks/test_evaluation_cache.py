"""Validation after every epoch computes what changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_models import small_config

from point_peft.apis import train
from point_peft.engine.hooks import EvaluationCacheHook
from point_peft.io.errors import ConfigError
from point_peft.methods.evaluation_cache import EvaluationCache


def test_accuracies_are_the_same_and_clouds_are_embedded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a training of three epochs, with and without."""
    kept: list[int] = []
    get = EvaluationCache.batch

    def batch(cache: EvaluationCache, points):  # noqa: ANN001, ANN202
        found = get(cache, points)
        kept.append(sum(digest == found.digest for digest, _ in cache.results))
        return found

    monkeypatch.setattr(EvaluationCache, 'batch', batch)
    results, counts = [], []
    for name, hook in (('with', dict(type='EvaluationCacheHook')), ('without', None)):
        cfg = small_config(tmp_path / name, method='lora', checkpoint=None)
        cfg.model.backbone.init_cfg = None
        cfg.train_cfg.max_epochs = 3
        cfg.default_hooks.evaluation_cache = hook
        cfg.default_hooks.delta = None
        cfg.dump(tmp_path / f'{name}.py')
        results.append(train(tmp_path / f'{name}.py', work_dir=tmp_path / name, device='cpu').accuracies)
        counts.append(len(kept))
    assert results[0] == results[1] and counts[0] == counts[1] > 0
    first = kept.index(1)
    assert first and all(number == 1 for number in kept[first:]) and kept[:first] == [0] * first


def test_no_room_is_refused() -> None:
    """Instead of caching nothing without a word."""
    with pytest.raises(ConfigError, match='max_mb=0 of EvaluationCacheHook is no room'):
        EvaluationCacheHook(max_mb=0)
