"""Matrix files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from point_peft.engine.runtime.protocol import LAST
from point_peft.experiments import Cell, CellRun, load_matrix
from point_peft.io.errors import ConfigError, MissingFileError

SHIPPED = sorted(
    (Path(__file__).parents[2] / 'tools/experiments').glob('[!_r]*.py')
)  # not what they share, nor run.py

CONTENT = """
title = 'a test'
_lr = 'optim_wrapper.optimizer.lr'
methods = {'full': 'configs/full/x.py', 'ours': dict(config='configs/point_peft/x.py', options={'a.b': 1, 'c': 2})}
reference = 'full'
settings = {'few': {'c': 3}, 'many': {}}
seeds = (0, 1)
candidates = [{_lr: 1e-3}, {_lr: 1e-4}]
options = {'d': 4}
"""


def write(tmp_path: Path, content: str) -> Path:
    path = tmp_path / 'matrix.py'
    path.write_text(content)
    return path


def test_cells(tmp_path: Path) -> None:
    """Options of the method go over those of the setting, then the draw's; those for all runs lie below."""
    matrix = load_matrix(write(tmp_path, CONTENT), {'d': 5, 'e': 6})
    cells = matrix.cells('few', 'ours', {'optim_wrapper.optimizer.lr': 1e-4})
    assert [cell.name for cell in cells] == ['few/ours/seed_0', 'few/ours/seed_1']
    assert cells[1].options == {
        **{'d': 5, 'e': 6, 'c': 2, 'a.b': 1},
        **{'optim_wrapper.optimizer.lr': 1e-4, 'randomness.seed': 1},
    }
    tried = matrix.tuning_cells('many', 'full')
    assert [cell.candidate for cell in tried] == [0, 1]
    assert tried[1].options['optim_wrapper.optimizer.lr'] == 1e-4
    assert tried[0].options['randomness.seed'] not in (0, 1)  # no reported run helped to choose


def test_some_settings(tmp_path: Path) -> None:
    """A comparison is run in parts; the cells are those of the whole."""
    matrix = load_matrix(write(tmp_path, CONTENT))
    part = matrix.only(['many'])
    assert part.reported == ('many',) and part.cells('many', 'ours', {}) == matrix.cells('many', 'ours', {})
    with pytest.raises(ConfigError, match="no setting 'some'; it has 'few', 'many'"):
        matrix.only(['some'])


def test_chosen_in_one_setting(tmp_path: Path) -> None:
    """Candidates are tried in the setting that is named, or in each; one that is not there is refused."""
    matrix = load_matrix(write(tmp_path, CONTENT + "chosen_in = 'few'\n"))
    assert matrix.only(['many']).tuned_in('many') == 'few'
    assert load_matrix(write(tmp_path, CONTENT)).tuned_in('many') == 'many'
    with pytest.raises(ConfigError, match="no setting 'some'; it has 'few', 'many'"):
        load_matrix(write(tmp_path, CONTENT + "chosen_in = 'some'\n"))


def test_data_root_reaches_the_described_datasets(tmp_path: Path) -> None:
    """So a comparison of few labels runs where the data is."""
    inner = "{'train_dataloader.dataset': dict(type='FewLabels', dataset=dict(data_root='x'))}"
    path = write(tmp_path, CONTENT.replace("{'c': 3}", inner))
    (cell, _) = load_matrix(path, {'data_root': '/disk'}).cells('few', 'full', {})
    assert (
        cell.options['train_dataloader.dataset']['dataset']['data_root']
        == cell.options['data_root']
        == '/disk'
    )


@pytest.mark.parametrize(
    ('old', 'new', 'said'),
    [
        ("reference = 'full'", "reference = 'lora'", "reference='lora'"),
        ('seeds = (0, 1)', '', 'neither seeds nor draws'),
        ('seeds = (0, 1)', 'seed = (0, 1)', "'seed', which nothing reads"),
        ("'configs/full/x.py'", '3', "method 'full' is neither"),
        ("{'few': {'c': 3}, 'many': {}}", "{'a b': {}, 'a_b': {}}", "kept under 'a_b'"),
        ("title = 'a test'", "compared = 'best_on_test'", "compared='best_on_test'"),
        ("title = 'a test'", 'title = (', 'cannot be read'),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Each is one sentence that names the file."""
    assert old in CONTENT
    path = write(tmp_path, CONTENT.replace(old, new))
    with pytest.raises(ConfigError) as error:
        load_matrix(path)
    assert said in str(error.value) and str(path) in str(error.value)


def test_missing(tmp_path: Path) -> None:
    """So is a file that is not there."""
    with pytest.raises(MissingFileError, match='does not exist'):
        load_matrix(tmp_path / 'none.py')


@pytest.mark.parametrize('path', SHIPPED, ids=lambda p: p.stem)
def test_shipped(path: Path) -> None:
    """The matrices that come with the project are valid and have at least three draws."""
    matrix = load_matrix(path)
    assert len(matrix.draws) >= 3 and len(matrix.methods) >= 2


def test_unfinished_run_has_no_result(tmp_path: Path) -> None:
    """A report that ends before the last epoch does not count."""
    cell = Cell('', 'full', 'seed 0', 'configs/full/x.py', {})
    run = CellRun(cell, tmp_path, '', max_epochs=6)
    run.work_dir.mkdir()
    assert run.result('accuracy') is None
    for epoch, expected in ((5, None), (6, 70.0)):
        rows = [dict(label=LAST, epoch=epoch, val={}, test=dict(accuracy=70.0))]
        (run.work_dir / 'protocol.json').write_text(json.dumps(dict(rows=rows)))
        result = run.result('accuracy')
        assert (result and result['last']) == expected
