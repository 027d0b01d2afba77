"""A memory bank belongs to the clouds that it was made from, wherever they lie and whatever they are called."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from small_models import METHODS, build_classifier, fill_bank
from torch.utils.data import Dataset, Subset

from point_peft.datasets import PointCloudFolder, ProceduralParts, ProceduralShapes
from point_peft.datasets.base import PointCloudDataset
from point_peft.datasets.clouds import Clouds
from point_peft.datasets.lazy import LazyClouds
from point_peft.engine.checkpoint import save_checkpoint
from point_peft.engine.errors import CheckpointError, ConfigError, CorruptCheckpointError
from point_peft.engine.hooks import DeltaCheckpointHook, MemoryBankHook
from point_peft.engine.memory_bank import (
    BankProvenance,
    MemoryBankMismatchError,
    build_bank,
    check_bank,
    expected_provenance,
    find_prompt,
    fingerprint_clouds,
    load_bank,
    save_bank,
)
from point_peft.models import PointClassifier, PointDataPreprocessor
from point_peft.tuners import MemoryBank


@pytest.fixture
def model() -> PointClassifier:
    """A model that sees 48 points of a cloud."""
    model = build_classifier(METHODS['point_peft'])
    model.data_preprocessor = PointDataPreprocessor(num_points=48)
    return model


def folder(root: Path, *, seed: int = 0, count: int = 6) -> Path:
    """A directory of clouds of two classes."""
    draw = np.random.default_rng(seed)
    for name in ('a', 'b'):
        (root / name).mkdir(parents=True)
        for number in range(count):
            np.save(root / name / f'{number}.npy', draw.normal(size=(80, 3)).astype(np.float32))
    return root


def shapes(**changes: Any) -> ProceduralShapes:
    return ProceduralShapes(**(dict(num_samples=16, num_points=64) | changes))


def of_folder(root: Path, **changes: Any) -> PointCloudFolder:
    return PointCloudFolder(root, **(dict(num_points=64) | changes))


@pytest.mark.parametrize(
    'changes', [dict(seed=1), dict(scan=True), dict(num_points=72), dict(seed=3, scan=True)]
)
def test_other_procedural_objects(model: PointClassifier, tmp_path: Path, changes: dict[str, Any]) -> None:
    """As many objects of the same class and split, but others."""
    check_refused(model, tmp_path, shapes(), shapes(**changes))


@pytest.mark.parametrize(
    'changes', [dict(normalize=None), dict(max_points=60), dict(split_seed=1), dict(num_points=70)]
)
def test_other_settings_of_a_folder(model: PointClassifier, tmp_path: Path, changes: dict[str, Any]) -> None:
    root = folder(tmp_path / 'data')
    made, needed = of_folder(root), of_folder(root, **changes)
    if len(made) == len(needed):
        check_refused(model, tmp_path, made, needed)


def test_other_clouds_in_the_same_directory(model: PointClassifier, tmp_path: Path) -> None:
    """Also if a single coordinate of one file differs."""
    root = folder(tmp_path / 'data')
    made = of_folder(root)
    points = np.load(root / 'b' / '3.npy')
    points[17, 1] += 1e-3
    for path in (root / 'b').glob('*.npy'):
        np.save(path, points)
    check_refused(model, tmp_path, made, of_folder(root))


def check_refused(model: PointClassifier, tmp_path: Path, made: Dataset, needed: Dataset) -> None:
    """The bank of one set serves that set, and not the other."""
    file = tmp_path / 'bank.safetensors'
    save_bank(file, find_prompt(model)[1].bank, build_bank(model, made))
    bank = MemoryBank(48)
    with pytest.raises(
        MemoryBankMismatchError, match=r"bank\.safetensors was made with clouds='[0-9a-f]{32}', but"
    ):
        load_bank(file, bank, expected_provenance(model, needed))
    assert len(bank) == 0
    load_bank(file, bank, expected_provenance(model, made))
    assert len(bank) == len(made)


def test_moved_data_keep_their_bank(model: PointClassifier, tmp_path: Path) -> None:
    """The content counts, not the place: in memory, and read item by item."""
    root = folder(tmp_path / 'data')
    made = of_folder(root)
    save_bank(tmp_path / 'bank.safetensors', find_prompt(model)[1].bank, build_bank(model, made))
    lazy = fingerprint_clouds(OnDisk(root), 48)
    shutil.move(root, tmp_path / 'elsewhere')
    moved = of_folder(tmp_path / 'elsewhere')
    load_bank(tmp_path / 'bank.safetensors', MemoryBank(48), expected_provenance(model, moved))
    assert fingerprint_clouds(OnDisk(tmp_path / 'elsewhere'), 48) == lazy


class OnDisk(PointCloudDataset):
    """Clouds that are read when they are asked for."""

    classes = ('a', 'b')
    holds_out = False

    def load(self, subset: str) -> Clouds:
        files = sorted(self.data_root.rglob('*.npy'))
        labels = np.array([self.classes.index(path.parent.name) for path in files])
        return Clouds(points=LazyClouds(files, np.load), labels=labels, sources=[str(path) for path in files])


def test_lazy_clouds(tmp_path: Path) -> None:
    """Their names and sizes count, and the coordinates of some; reading all would take too long."""
    root = folder(tmp_path / 'data', count=200)
    before = fingerprint_clouds(OnDisk(root), None)
    assert fingerprint_clouds(OnDisk(root), None) == before
    assert fingerprint_clouds(OnDisk(root, normalize='unit_sphere'), None) != before
    np.save(root / 'b' / '3.npy', np.zeros((81, 3), dtype=np.float32))
    assert fingerprint_clouds(OnDisk(root), None) != before


def test_what_the_preprocessor_takes(model: PointClassifier) -> None:
    """It counts where it takes points away, and only there."""
    data = shapes()
    assert fingerprint_clouds(data, None) == fingerprint_clouds(data, 64) == fingerprint_clouds(data, 100)
    assert fingerprint_clouds(data, 48) != fingerprint_clouds(data, None) != fingerprint_clouds(data, 32)


def test_order_counts() -> None:
    """A permuted or shortened set is another one, also through wrappers of other packages."""
    data = shapes()
    whole = fingerprint_clouds(Subset(data, range(16)), 48)
    assert whole == fingerprint_clouds(Subset(data, range(16)), 48)
    for index in (range(15), [1, 0, *range(2, 16)]):
        assert fingerprint_clouds(Subset(data, index), 48) != whole


def test_random_items_are_drawn_alike_and_leave_no_trace() -> None:
    """Part segmentation draws points anew at every access."""
    data = Subset(ProceduralParts(num_samples=8, num_points=32, split='train'), range(8))
    state = torch.get_rng_state()
    assert fingerprint_clouds(data, None) == fingerprint_clouds(data, None)
    assert torch.equal(torch.get_rng_state(), state)


def test_ten_thousand_clouds_are_cheap() -> None:
    """About a second at most, of processor time."""
    data = shapes(num_samples=2)
    data.clouds.points = np.random.default_rng(0).normal(size=(10_000, 1024, 3)).astype(np.float32)
    data.clouds.labels = np.zeros(10_000, dtype=np.int64)
    start = time.process_time()
    fingerprint_clouds(data, 512)
    assert time.process_time() - start < 1


def test_another_function_of_the_backbone(model: PointClassifier, tmp_path: Path) -> None:
    """Weights of the same hash describe a cloud in another way with other groups or heads."""
    file = tmp_path / 'bank.safetensors'
    save_bank(file, find_prompt(model)[1].bank, build_bank(model, shapes()))
    for changes, message in (
        (dict(group_size=4), 'group_size=8.*needs 4'),
        (dict(num_heads=4), 'num_heads=3.*needs 4'),
    ):
        other = build_classifier(METHODS['point_peft'], **changes)
        other.data_preprocessor = model.data_preprocessor
        with pytest.raises(MemoryBankMismatchError, match=rf'was made with backbone\.{message}'):
            load_bank(file, MemoryBank(48), expected_provenance(other, shapes()))


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
    fill_bank(model)
    check_bank(model)
    fill_bank(model, rows=3)
    with pytest.raises(ConfigError, match='has 3 rows, but 4 are to be retrieved'):
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
