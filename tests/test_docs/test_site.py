"""The documentation's site builds without a warning: links, anchors, navigation and docstrings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('mkdocs')
pytest.importorskip('mkdocstrings_handlers.python')

ROOT = Path(__file__).resolve().parents[2]


def build(site: Path, root: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', str(site)],
        cwd=root,
        env={**os.environ, 'NO_MKDOCS_2_WARNING': '1'},
        capture_output=True,
        text=True,
    )


def test_builds(tmp_path: Path) -> None:
    """All pages are there, those from outside docs/ too, and the reference says what the docstrings say."""
    done = build(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    pages = {page.parent.relative_to(tmp_path).as_posix() for page in tmp_path.rglob('index.html')}
    wanted = {
        path.relative_to(ROOT / 'docs').with_suffix('').as_posix() for path in (ROOT / 'docs').rglob('*.md')
    }
    assert {name.removesuffix('/index').replace('index', '.') for name in wanted} <= pages
    assert {'start', 'contributing', 'changelog', 'model_card', 'package'} <= pages
    reference = (tmp_path / 'api/methods/index.html').read_text()
    assert 'id="point_peft.methods.PointPriorPrompt"' in reference and '__all__' not in reference
    assert 'fonts.googleapis' not in (tmp_path / 'index.html').read_text()  # nothing from another server


def test_a_broken_link_fails(tmp_path: Path) -> None:
    """The check is one: a page that points nowhere stops the build."""
    for name in ('docs', 'projects', 'checkpoints', *(path.name for path in ROOT.glob('*.md'))):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / 'docs').unlink()
    pages = tmp_path / 'docs'
    pages.mkdir()
    for path in (ROOT / 'docs').iterdir():
        (pages / path.name).symlink_to(path)
    (tmp_path / 'mkdocs.yml').write_text((ROOT / 'mkdocs.yml').read_text())
    (pages / 'index.md').unlink()
    (pages / 'index.md').write_text('# Documentation\n\n[gone](nowhere.md)\n')
    done = build(tmp_path / 'site', tmp_path)
    assert done.returncode != 0 and 'nowhere.md' in done.stderr
