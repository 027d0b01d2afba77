"""A memory bank belongs to the clouds that it was made from, wherever they lie and whatever they are called."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import METHODS, build_classifier, expected_of, fit, fitted_of, save_as, unfitted_prompt
from torch.utils.data import Dataset, Subset

from point_peft.datasets import PointCloudFolder
from point_peft.datasets.base import PointCloudDataset
from point_peft.datasets.clouds import Clouds
from point_peft.datasets.lazy import LazyClouds
from point_peft.engine.fitting import fingerprint_clouds, load_fitted
from point_peft.io.errors import FittedStateMismatchError
from point_peft.models import PointClassifier, PointDataPreprocessor
from point_peft.procedural import ProceduralParts, ProceduralShapes


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
    save_as(file, fitted_of(model), fit(model, made))
    method = unfitted_prompt()
    with pytest.raises(
        FittedStateMismatchError, match=r"bank\.safetensors was made with clouds='[0-9a-f]{32}', but"
    ):
        load_fitted(file, method, expected_of(model, needed))
    assert len(method.bank) == 0
    load_fitted(file, method, expected_of(model, made))
    assert len(method.bank) == len(made)


def test_moved_data_keep_their_bank(model: PointClassifier, tmp_path: Path) -> None:
    """The content counts, not the place: in memory, and read item by item."""
    root = folder(tmp_path / 'data')
    made = of_folder(root)
    save_as(tmp_path / 'bank.safetensors', fitted_of(model), fit(model, made))
    lazy = fingerprint_clouds(OnDisk(root), 48)
    shutil.move(root, tmp_path / 'elsewhere')
    moved = of_folder(tmp_path / 'elsewhere')
    load_fitted(tmp_path / 'bank.safetensors', unfitted_prompt(), expected_of(model, moved))
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
    save_as(file, fitted_of(model), fit(model, shapes()))
    for changes, message in (
        (dict(group_size=4), 'group_size=8.*needs 4'),
        (dict(num_heads=4), 'num_heads=3.*needs 4'),
    ):
        other = build_classifier(METHODS['point_peft'], **changes)
        other.data_preprocessor = model.data_preprocessor
        with pytest.raises(FittedStateMismatchError, match=rf'was made with backbone\.{message}'):
            load_fitted(file, unfitted_prompt(), expected_of(other, shapes()))
