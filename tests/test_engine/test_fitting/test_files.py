"""What the file of a memory bank must hold, and banks that come with checkpoints, too small or empty."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_models import (
    METHODS,
    build_classifier,
    expected_of,
    fill_bank,
    fit,
    fitted_of,
    save_as,
    unfitted_prompt,
)
from torch.utils.data import Dataset, Subset

from point_peft.engine.fitting import check_ready, load_fitted
from point_peft.engine.hooks import DeltaCheckpointHook, FitHook
from point_peft.engine.preflight import check_fitting
from point_peft.io.errors import (
    CheckpointError,
    ConfigError,
    CorruptCheckpointError,
    FittedStateMismatchError,
)
from point_peft.io.weights import save_checkpoint
from point_peft.models import PointClassifier, PointDataPreprocessor
from point_peft.procedural import ProceduralShapes


@pytest.fixture
def model() -> PointClassifier:
    """A model that sees 48 points of a cloud."""
    model = build_classifier(METHODS['point_peft'])
    model.data_preprocessor = PointDataPreprocessor(num_points=48)
    return model


def shapes(**changes: Any) -> ProceduralShapes:
    return ProceduralShapes(**(dict(num_samples=16, num_points=64) | changes))


@pytest.mark.parametrize('rows', [0, 15, 17])
def test_rows_that_are_not_as_many(model: PointClassifier, tmp_path: Path, rows: int) -> None:
    provenance = fit(model, shapes())
    method = unfitted_prompt()
    if rows:
        method.bank.fill(torch.randn(rows, 48))
    for noted in (provenance, {**provenance, 'num_samples': 0}) if not rows else (provenance,):
        save_as(tmp_path / 'bank.safetensors', method, noted)
        with pytest.raises(
            CorruptCheckpointError, match=rf'has rows of shape \({rows}, 48\).* but was made from'
        ):
            load_fitted(tmp_path / 'bank.safetensors', unfitted_prompt(), expected_of(model))


def test_rows_that_changed(model: PointClassifier, tmp_path: Path) -> None:
    """The hash of the rows is compared, though the file as such is whole."""
    provenance, bank = fit(model, shapes()), fitted_of(model).bank
    meta = dict(provenance=provenance, hash=fitted_of(model).content_hash())
    save_checkpoint(tmp_path / 'bank.safetensors', dict(keys=bank.keys.flip(0)), meta)
    fresh = unfitted_prompt()
    with pytest.raises(CorruptCheckpointError, match=r'bank\.safetensors is damaged: its rows are not those'):
        load_fitted(tmp_path / 'bank.safetensors', fresh, expected_of(model, shapes()))
    assert len(fresh.bank) == 0


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda found: {**found, 'colour': 'red'}, "has the unknown field 'colour'"),
        (lambda found: {name: found[name] for name in found if name != 'dim'}, "has no field 'dim'"),
        (lambda found: {**found, 'num_samples': '16'}, "has '16' as num_samples, which should be int"),
        (lambda found: {**found, 'split': None}, 'has None as split, which should be str'),
        (lambda found: {**found, 'dim': True}, 'has True as dim, which should be int'),
        (lambda found: [found], 'has a list as its provenance'),
        (lambda found: 'mine', 'has a str as its provenance'),
    ],
)
def test_provenance_of_the_wrong_kind(
    model: PointClassifier, tmp_path: Path, change: Any, message: str
) -> None:
    provenance, bank = fit(model, shapes()), fitted_of(model).bank
    meta = dict(provenance=change(provenance), hash=fitted_of(model).content_hash())
    save_checkpoint(tmp_path / 'bank.safetensors', dict(keys=bank.keys), meta)
    with pytest.raises(CheckpointError, match=rf'bank\.safetensors {message}.*have it rebuilt'):
        load_fitted(tmp_path / 'bank.safetensors', unfitted_prompt(), expected_of(model, shapes()))


def test_older_banks_serve_their_adapters_but_no_training(model: PointClassifier, tmp_path: Path) -> None:
    """They do not say which clouds they are of."""
    provenance, bank = dict(fit(model, shapes())), fitted_of(model).bank
    del provenance['clouds'], provenance['backbone']
    meta = dict(provenance=provenance, hash=fitted_of(model).content_hash())
    save_checkpoint(tmp_path / 'bank.safetensors', dict(keys=bank.keys), meta)
    assert (
        load_fitted(tmp_path / 'bank.safetensors', unfitted_prompt(), expected_of(model)).get('clouds')
        is None
    )
    with pytest.raises(
        FittedStateMismatchError, match='of an older version, which did not note its clouds.*rebuilt'
    ):
        load_fitted(tmp_path / 'bank.safetensors', unfitted_prompt(), expected_of(model, shapes()))


class Run:
    """What hooks see of a runner."""

    def __init__(self, model: PointClassifier, work: Path, dataset: Dataset, *, resume: bool = False) -> None:
        self.model, self.work_dir, self._load_from, self._resume = model, str(work), 'full.pth', resume
        self.train_dataloader = SimpleNamespace(dataset=dataset)
        self.lines: list[str] = []
        self.logger = SimpleNamespace(info=self.lines.append, warning=self.lines.append)


def test_a_bank_that_comes_with_a_complete_checkpoint(model: PointClassifier, tmp_path: Path) -> None:
    """A new training on other clouds builds its own; resuming on other clouds is refused."""
    provenance = fit(model, shapes())
    before, meta = fitted_of(model).content_hash(), {'meta': {'point_peft': {'bank': provenance}}}
    for dataset, changes in ((shapes(), False), (shapes(seed=1), True)):
        fit(model, shapes())
        hook, run = FitHook(), Run(model, tmp_path / str(changes), dataset)
        hook.after_load_checkpoint(run, meta)
        hook.before_train(run)
        assert (fitted_of(model).content_hash() != before) == changes
        assert any('a new memory bank is needed' in line for line in run.lines) == changes
    fit(model, shapes())
    hook, run = FitHook(), Run(model, tmp_path, shapes(seed=1), resume=True)
    hook.after_load_checkpoint(run, meta)
    with pytest.raises(
        FittedStateMismatchError, match='full.pth brings the memory bank of another training set'
    ):
        hook.before_train(run)


def test_an_empty_bank_and_several_processes(
    model: PointClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence before training, also where no hook looks after the bank; one process may train so."""
    check_ready(model)
    from point_peft.methods import point_prior_prompt

    monkeypatch.setattr(point_prior_prompt, 'get_world_size', lambda: 2)
    with pytest.raises(
        ConfigError, match='the memory bank is empty, with which several processes cannot train; set'
    ):
        DeltaCheckpointHook().before_train(Run(model, tmp_path, shapes()))
    run: Any = SimpleNamespace(model=model, hooks=[], _load_from=None)
    with pytest.raises(ConfigError, match='the memory bank is empty'):  # before anything is built or drawn
        check_fitting(run)
    for comes in (dict(hooks=[FitHook()]), dict(_load_from='full.pth')):
        check_fitting(SimpleNamespace(**(vars(run) | comes)))
    fill_bank(model)
    check_ready(model)
    fill_bank(model, rows=3)
    with pytest.raises(ConfigError, match='holds 3 clouds but 4 are to be retrieved'):
        check_ready(model)


def test_no_clouds(model: PointClassifier) -> None:
    with pytest.raises(ConfigError, match='Subset has no clouds, so the memory bank would be empty'):
        fit(model, Subset(shapes(), []))


def test_fields_of_a_new_bank(model: PointClassifier) -> None:
    found = fit(model, shapes())
    assert len(found['clouds']) == 32 and '"group_size": 8' in found['backbone']
    assert fitted_of(model).fitted_on == found
