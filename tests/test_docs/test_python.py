"""docs/python.md and the notebook run from the top to the bottom, in a directory that has nothing."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from markdown_blocks import code_blocks

DOCS = Path(__file__).resolve().parents[2] / 'docs'
NOTEBOOK = DOCS / 'notebooks' / 'first_model.ipynb'


def run(blocks: Sequence[str], name: str) -> tuple[dict[str, Any], str]:
    """Names after all blocks, and what they printed."""
    scope: dict[str, Any] = {'__name__': '__main__'}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for number, block in enumerate(blocks):
            exec(compile(block, f'{name}, block {number}', 'exec'), scope)
    return scope, printed.getvalue()


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = code_blocks(DOCS / 'python.md', 'python')
    assert len(blocks) == 5
    names, printed = run(blocks, 'python.md')
    assert names['result'].accuracy >= 50  # of four classes
    assert names['result'].work_dir == tmp_path / 'work_dirs/point_peft/pointmae_mini_folder_my_clouds'
    assert names['features'].shape == names['frozen'].shape == (10, 384)
    assert names['one']['pred_scores'].shape == (4,) and names['one']['visualization'].ndim == 3
    rows = [line.split() for line in printed.splitlines() if line.startswith('my_clouds/')]
    right = [Path(row[0]).parent.name == row[1] for row in rows if len(row) == 3]
    assert len(right) == 20 and sum(right) > 10


def test_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no outputs, so that what is read is what runs; and it learns."""
    monkeypatch.chdir(tmp_path)
    content = json.loads(NOTEBOOK.read_text())
    cells = [cell for cell in content['cells'] if cell['cell_type'] == 'code']
    assert content['nbformat'] == 4 and not [
        cell for cell in cells if cell['outputs'] or cell['execution_count']
    ]
    assert len({cell['id'] for cell in content['cells']}) == len(content['cells'])
    names, printed = run([''.join(cell['source']) for cell in cells], NOTEBOOK.name)
    assert names['result'].accuracy >= 75 and '% of the test objects are right' in printed
    found = [one['pred_class'] for one in names['predictions']]
    assert len(found) == 8 and sum(map(str.__eq__, found, names['truth'])) >= 5
    assert {title: values.shape for title, values in names['features'].items()} == {
        'pre-trained': (48, 384),
        'tuned': (48, 384),
    }
    assert min(Path(name).stat().st_size for name in ('predictions.png', 'features.png')) > 10_000
