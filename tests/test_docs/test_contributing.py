"""What CONTRIBUTING asks for exists, and the workflows run what the project runs itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / 'CONTRIBUTING.md').read_text()
WORKFLOWS = sorted((ROOT / '.github/workflows').glob('*.yml'))


@pytest.mark.parametrize('kind', ['tuning method', 'backbone', 'dataset'])
def test_checklist_names_places_that_exist(kind: str) -> None:
    """Every path of a checklist is there, and there is one for the code, the tests and the config."""
    (section,) = re.findall(rf'^## A {kind}\n(.*?)(?=^## |\Z)', TEXT, re.MULTILINE | re.DOTALL)
    paths = [path for path in re.findall(r'`([^`]+)`', section) if '/' in path]
    assert {'projects', 'configs'} <= {path.partition('/')[0] for path in paths}
    assert not [path for path in paths if not (ROOT / path).exists()]
    assert section.count('- [ ]') >= 3


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_runs_scripts_that_exist(path: Path) -> None:
    """The scripts and files of constraints that a workflow names are there."""
    content = path.read_text()
    assert yaml.safe_load(content)['jobs']
    named = re.findall(r'(?:tools|requirements|tests)/[\w./-]+', content)
    assert named and not [name for name in named if not (ROOT / name).exists()]


def test_versions_agree() -> None:
    """pre-commit's ruff is that of the test requirements; the citation has the package's version."""
    ruff = re.search(r'ruff==(\S+)', (ROOT / 'requirements/tests.txt').read_text()).group(1)
    assert f'rev: v{ruff}' in (ROOT / '.pre-commit-config.yaml').read_text()
    version = re.search(r"'(.+)'", (ROOT / 'projects/point_peft/version.py').read_text()).group(1)
    assert yaml.safe_load((ROOT / 'CITATION.cff').read_text())['version'] == version
