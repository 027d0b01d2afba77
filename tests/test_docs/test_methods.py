"""The table of all methods: has every config part, and numbers that are counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from point_peft.apis import init_model
from point_peft.engine.config import Combination, load_config, part_files, reason_against
from point_peft.methods.folding import reason_against as reason_not_to_fold
from point_peft.registry import MODELS

DOCS = Path(__file__).resolve().parents[2] / 'docs' / 'methods'
ROW = re.compile(r'^\| \[`(\w+)`\]\((\w+\.md)\) \|')


def rows() -> dict[str, list[str]]:
    """Cells of the table by the name of the method."""
    lines = (DOCS / 'index.md').read_text().splitlines()
    return {
        found[1]: [cell.strip() for cell in line.split('|')[1:-1]]
        for line in lines
        if (found := ROW.match(line))
    }


ROWS = rows()


def test_every_method_has_a_row_and_a_page() -> None:
    """In alphabetical order; every page is linked from the index or is about all."""
    assert list(ROWS) == sorted(part_files('method'))
    linked = set(re.findall(r'\((\w+\.md)\)', (DOCS / 'index.md').read_text()))
    assert linked | {'index.md'} == {path.name for path in DOCS.glob('*.md')}


def test_what_does_not_go_together() -> None:
    """Every reason that configs give against a method is on the page."""
    tasks = ('scanobjnn', 'fewshot_shapes', 'shapenetpart', 's3dis_seg', 'votenet_shapes_scene')
    backbones = ('pointmae', 'pointbert', 'pointm2ae', 'recon', 'act', 'pointgpt_s')
    cells = (Combination(method, one, task) for method in ROWS for one in backbones for task in tasks)
    reasons = {reason for cell in cells if (reason := reason_against(cell))}
    text = ' '.join((DOCS / 'index.md').read_text().split())
    assert [reason for reason in reasons if reason not in text] == []


@pytest.mark.parametrize('method', ROWS)
def test_numbers(method: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Trained parameters of the default on the full-size Point-MAE, on the method's page too; whether it folds."""
    _, idea, _, trained, without_head, folds, _ = ROWS[method]
    monkeypatch.chdir(tmp_path)
    with torch.device('meta'):
        model = init_model(f'{method}/pointmae_scanobjnn', device='meta')
    counts = [sum(p.numel() for p in part.parameters() if p.requires_grad) for part in (model, model.head)]
    expected = [f'{count:,}'.replace(',', ' ') for count in (counts[0], counts[0] - counts[1])]
    assert [trained, without_head] == expected and idea
    assert expected[0] in (DOCS / ROW.match(f'| {ROWS[method][0]} |')[2]).read_text()
    init_default_scope('point_peft')
    peft = load_config(f'{method}/pointmae_scanobjnn').model.get('peft')
    if peft is None:
        assert folds == ''
    else:
        assert folds == (
            'no' if any(reason_not_to_fold(MODELS.build(one)) for one in peft.methods) else 'yes'
        )
