"""What the file of a memory bank must hold, and banks that come with checkpoints, too small or empty."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_models import METHODS, build_classifier, fill_bank
from torch.utils.data import Dataset, Subset

from point_peft.engine.hooks import DeltaCheckpointHook, MemoryBankHook
from point_peft.engine.memory_bank import (
    BankProvenance,
    MemoryBankMismatchError,
    build_bank,
    check_bank,
    expected_provenance,
    find_prompt,
    load_bank,
    save_bank,
)
from point_peft.engine.preflight import check_bank_comes
from point_peft.io.errors import CheckpointError, ConfigError, CorruptCheckpointError
from point_peft.io.weights import save_checkpoint
from point_peft.methods import MemoryBank
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
    provenance = build_bank(model, shapes())
    bank = MemoryBank(48)
    if rows:
        bank.fill(torch.randn(rows, 48))
    for noted in (provenance, replace(provenance, num_samples=0)) if not rows else (provenance,):
        save_bank(tmp_path / 'bank.safetensors', bank, noted)
        with pytest.raises(
            CorruptCheckpointError, match=rf'has rows of shape \({rows}, 48\).* but was made from'
        ):
            load_bank(tmp_path / 'bank.safetensors', MemoryBank(48), expected_provenance(model))


def test_rows_that_changed(model: PointClassifier, tmp_path: Path) -> None:
    """The hash of the rows is compared, though the file as such is whole."""
    provenance, bank = build_bank(model, shapes()), find_prompt(model)[1].bank
    meta = dict(provenance=asdict(provenance), hash=bank.content_hash())
    save_checkpoint(tmp_path / 'bank.safetensors', dict(keys=bank.keys.flip(0)), meta)
    fresh = MemoryBank(48)
    with pytest.raises(CorruptCheckpointError, match=r'bank\.safetensors is damaged: its rows are not those'):
        load_bank(tmp_path / 'bank.safetensors', fresh, expected_provenance(model, shapes()))
    assert len(fresh) == 0


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
    provenance, bank = build_bank(model, shapes()), find_prompt(model)[1].bank
    meta = dict(provenance=change(asdict(provenance)), hash=bank.content_hash())
    save_checkpoint(tmp_path / 'bank.safetensors', dict(keys=bank.keys), meta)
    with pytest.raises(CheckpointError, match=rf'bank\.safetensors {message}.*have it rebuilt'):
        load_bank(tmp_path / 'bank.safetensors', MemoryBank(48), expected_provenance(model, shapes()))


def test_older_banks_serve_their_adapters_but_no_training(model: PointClassifier, tmp_path: Path) -> None:
    """They do not say which clouds they are of."""
    provenance, bank = asdict(build_bank(model, shapes())), find_prompt(model)[1].bank
    del provenance['clouds'], provenance['backbone']
    meta = dict(provenance=provenance, hash=bank.content_hash())
    save_checkpoint(tmp_path / 'bank.safetensors', dict(keys=bank.keys), meta)
    assert load_bank(tmp_path / 'bank.safetensors', MemoryBank(48), expected_provenance(model)).clouds == ''
    with pytest.raises(
        MemoryBankMismatchError, match='of an older version, which did not note its clouds.*rebuilt'
    ):
        load_bank(tmp_path / 'bank.safetensors', MemoryBank(48), expected_provenance(model, shapes()))


class Run:
    """What hooks see of a runner."""

    def __init__(self, model: PointClassifier, work: Path, dataset: Dataset, *, resume: bool = False) -> None:
        self.model, self.work_dir, self._load_from, self._resume = model, str(work), 'full.pth', resume
        self.train_dataloader = SimpleNamespace(dataset=dataset)
        self.lines: list[str] = []
        self.logger = SimpleNamespace(info=self.lines.append, warning=self.lines.append)


def test_a_bank_that_comes_with_a_complete_checkpoint(model: PointClassifier, tmp_path: Path) -> None:
    """A new training on other clouds builds its own; resuming on other clouds is refused."""
    provenance = build_bank(model, shapes())
    before, meta = model.bank_hash(), {'meta': {'point_peft': {'bank': asdict(provenance)}}}
    for dataset, changes in ((shapes(), False), (shapes(seed=1), True)):
        build_bank(model, shapes())
        hook, run = MemoryBankHook(), Run(model, tmp_path / str(changes), dataset)
        hook.after_load_checkpoint(run, meta)
        hook.before_train(run)
        assert (model.bank_hash() != before) == changes
        assert any('a new memory bank is needed' in line for line in run.lines) == changes
    build_bank(model, shapes())
    hook, run = MemoryBankHook(), Run(model, tmp_path, shapes(seed=1), resume=True)
    hook.after_load_checkpoint(run, meta)
    with pytest.raises(
        MemoryBankMismatchError, match='full.pth brings the memory bank of another training set'
    ):
        hook.before_train(run)


def test_an_empty_bank_and_several_processes(
    model: PointClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence before training, also where no hook looks after the bank; one process may train so."""
    check_bank(model)
    from point_peft.engine.memory_bank import provenance

    monkeypatch.setattr(provenance, 'get_world_size', lambda: 2)
    with pytest.raises(
        ConfigError, match='the memory bank is empty, with which several processes cannot train; set'
    ):
        DeltaCheckpointHook().before_train(Run(model, tmp_path, shapes()))
    run: Any = SimpleNamespace(model=model, hooks=[], _load_from=None)
    with pytest.raises(ConfigError, match='the memory bank is empty'):  # before anything is built or drawn
        check_bank_comes(run)
    for comes in (dict(hooks=[MemoryBankHook()]), dict(_load_from='full.pth')):
        check_bank_comes(SimpleNamespace(**(vars(run) | comes)))
    fill_bank(model)
    check_bank(model)
    fill_bank(model, rows=3)
    with pytest.raises(ConfigError, match='holds 3 clouds but 4 are to be retrieved'):
        check_bank(model)


def test_no_clouds(model: PointClassifier) -> None:
    with pytest.raises(ConfigError, match='Subset has no clouds, so the memory bank would be empty'):
        build_bank(model, Subset(shapes(), []))


def test_fields_of_a_new_bank(model: PointClassifier) -> None:
    found = build_bank(model, shapes())
    assert (
        isinstance(found, BankProvenance) and len(found.clouds) == 32 and '"group_size": 8' in found.backbone
    )
    assert find_prompt(model)[1].bank.provenance == asdict(found)
