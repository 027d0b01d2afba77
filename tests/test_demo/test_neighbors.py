"""What the memory bank retrieves, with names where they are known."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from point_peft.apis import init_model
from point_peft.demo.model import DemoModel
from point_peft.demo.neighbors import Neighbors
from point_peft.demo.thumbnails import thumbnail
from point_peft.io.weights import OWN_KEY
from point_peft.methods import fitted_methods
from point_peft.procedural import ProceduralShapes
from point_peft.visualization import project


def test_a_training_cloud_finds_itself(model: DemoModel, tmp_path: Path) -> None:
    """The first row that is retrieved for a cloud of the training set is its own, under its name."""
    clouds = ProceduralShapes(32, num_points=128)
    assert model.neighbors is not None and model.neighbors.note == ''
    for row in (0, 5, 31):
        file = tmp_path / f'{row}.npy'
        np.save(file, clouds[row]['inputs']['points'].numpy())
        found = model.predict_file(file, None)['neighbors']
        assert len(found) == 8
        assert (found[0]['row'], found[0]['similarity']) == (row, pytest.approx(1, abs=1e-3))
        similarity = [one['similarity'] for one in found]
        assert similarity == sorted(similarity, reverse=True)
        assert [one['name'] for one in found] == [clouds.classes[one['row'] % 16] for one in found]
        assert found[0]['source'] == f'train[{row}]'


@pytest.mark.parametrize(
    ('dataset', 'said'),
    [
        (dict(seed=7), 'not those that the memory bank was made from'),
        (dict(num_samples=31), 'not those that the memory bank was made from'),
        (dict(type='PointCloudFolder', data_root='gone', _delete_=True), 'gone'),
        (None, 'nothing says which clouds'),
    ],
)
def test_other_clouds_have_no_names(model: DemoModel, dataset: dict | None, said: str) -> None:
    """Where the training data at hand are others, or are gone, rows have numbers, and the page says why."""
    cfg = Config(copy.deepcopy(model.inferencer.cfg._cfg_dict))
    if dataset is None:
        cfg.pop('train_dataloader')
    elif dataset.pop('_delete_', False):
        cfg.train_dataloader.dataset = dataset
    else:
        cfg.train_dataloader.dataset.update(dataset)
    neighbors = Neighbors.of(model.inferencer.model, cfg, {})
    assert neighbors is not None
    assert neighbors.note.startswith('Rows have numbers only: ') and said in neighbors.note
    model.predict_example(0, None)
    found = neighbors.describe()
    assert len(found) == 8 and all(set(one) == {'row', 'similarity'} for one in found)


def test_a_bank_in_the_checkpoint(model: DemoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A complete checkpoint has the bank in it, and notes what it was made from."""
    (method,) = fitted_methods(model.inferencer.model).values()
    noted = {OWN_KEY: {method.fitted_key: method.fitted_on}}
    monkeypatch.setattr(method, 'fitted_on', None)
    for meta, note in ((noted, ''), ({}, 'Rows have numbers only: nothing says which clouds')):
        neighbors = Neighbors.of(model.inferencer.model, model.inferencer.cfg, meta)
        assert (
            neighbors is not None and neighbors.note.startswith(note) and bool(neighbors.note) == bool(note)
        )


def test_without_a_bank(model: DemoModel) -> None:
    """A model that retrieves nothing says nothing of it."""
    assert Neighbors.of(init_model('lora/pointmae_mini_shapes'), model.inferencer.cfg, {}) is None
    assert Neighbors.of(init_model('point_peft/pointmae_mini_shapes'), model.inferencer.cfg, {}) is None


def test_thumbnail() -> None:
    """Within its square, the farthest points first, as the pictures show them."""
    points = np.random.default_rng(0).random((1000, 3)) * [1, 4, 1] + 7
    found = thumbnail(points)
    assert len(found['x']) == 400 and found['shade'] == sorted(found['shade'])
    assert {min(found['shade']), max(found['shade'])} == {0, 9}
    assert min(found['y']) == 3 and max(found['y']) == 97 and min(found['x']) > 3
    top = points[np.linspace(0, 999, 400).round().astype(int)]
    plane, nearness = project(top)
    order = np.argsort(nearness)
    assert np.corrcoef(plane[order, 1], found['y'])[0, 1] < -0.99
    assert np.corrcoef(plane[order, 0], found['x'])[0, 1] > 0.99
    assert thumbnail(np.zeros((1, 3))) == dict(x=[50], y=[50], shade=[0])
