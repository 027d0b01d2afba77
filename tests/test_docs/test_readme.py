"""The README's example runs, and what the documentation names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_blocks import code_blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / 'README.md',
    ROOT / 'CHANGELOG.md',
    ROOT / 'CONTRIBUTING.md',
    ROOT / 'projects/point_peft/README.md',
    *(ROOT / 'docs').glob('*.md'),
]

LINK = re.compile(r'\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)')
NAMED = re.compile(
    r'(?<![\w/.])((?:tools|configs|docs|requirements|projects|checkpoints)/[\w./-]*\w\.(?:py|sh|md|txt))\b'
)
HEADING = re.compile(r'^#+ (.*)$', re.MULTILINE)


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths(page: Path) -> None:
    """Relative links lead to files and headings; paths that are named exist."""
    text = page.read_text()
    for target, anchor in LINK.findall(text):
        path = (page.parent / target).resolve() if target else page
        assert path.is_file(), f'{page.name} links to {target}'
        assert not anchor or anchor in anchors(path), f'{page.name} links to {target}#{anchor}'
    missing = [name for name in NAMED.findall(text) if not (ROOT / name).exists()]
    assert not missing


def test_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python example: shapes, and a count that the documentation states."""
    monkeypatch.chdir(ROOT)
    (example,) = code_blocks(ROOT / 'README.md', 'python')
    scope: dict = {}
    exec(compile(example, 'README.md', 'exec'), scope)
    assert scope['logits'].shape == (2, 16)
    assert scope['samples'][0].pred_scores.shape == (16,)
    assert scope['trained'] == 253536
    assert not scope['model'].backbone.is_attached


def anchors(page: Path) -> set[str]:
    """Anchors that a page's headings get on GitHub."""
    headings = HEADING.findall(page.read_text())
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}
