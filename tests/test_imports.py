"""The floors of the package: a module imports from its own floor and from those below."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'projects' / 'point_peft'

FLOORS = (
    'version',
    'io',
    'ops',
    'structures',
    'registry',
    'backbones',
    'methods',
    'heads',
    'necks',
    'models',
    'datasets',
    'procedural',
    'deployment',
    'detection',
    'evaluation',
    'visualization',
    'release',
    'converters',
    'engine.config',
    'engine.checkpoint',
    'engine.runtime',
    'engine.fitting',
    'engine.hooks',
    'engine.preflight',
    'engine',
    'adapters',
    'experiments',
    'apis',
    'demo',
    'cli',
)
"""From the ground up. The engine has floors of its own, of which ``engine/__init__.py`` is the highest."""


@cache
def modules() -> dict[str, Path]:
    """Files of the package by the name of their module, which is empty for the package itself."""
    found = {}
    for path in sorted(PACKAGE.rglob('*.py')):
        parts = path.relative_to(PACKAGE).with_suffix('').parts
        found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


def imported(tree: ast.AST, module: str, path: Path) -> Iterator[tuple[int, str]]:
    """Line and module of every import from the package, wherever in a file it stands."""
    here = module.split('.') if module else []
    package = here if path.name == '__init__.py' else here[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names if name.name.partition('.')[0] == 'point_peft']
            yield from ((node.lineno, name.removeprefix('point_peft').removeprefix('.')) for name in names)
        elif isinstance(node, ast.ImportFrom):
            full = node.module or ''
            if node.level:
                base = package[: len(package) - node.level + 1]
            elif full.partition('.')[0] == 'point_peft':
                base, full = [], full.removeprefix('point_peft').removeprefix('.')
            else:
                continue
            source = '.'.join([*base, *([full] if full else [])])
            for name in node.names:  # of a package, a module in it may be meant
                inner = f'{source}.{name.name}' if source else name.name
                yield node.lineno, inner if inner in modules() else source


def floor(module: str) -> int:
    """Height of a module's floor; the package itself is above all.

    Raises:
        ValueError: It has none; give its package a place in :data:`FLOORS`.
    """
    fitting = [name for name in FLOORS if module == name or module.startswith(f'{name}.')]
    return FLOORS.index(max(fitting, key=len)) if module else len(FLOORS)


def arrows_up(module: str, text: str, path: Path) -> list[str]:
    """The imports of a file from floors above its own, as sentences."""
    return [
        f'{path.name}, line {line}: {module or "the package"} imports {other}, which is above it'
        for line, other in imported(ast.parse(text), module, path)
        if floor(other) > floor(module)
    ]


def test_every_module_has_a_floor() -> None:
    for module in modules():
        floor(module)
    for name in FLOORS:
        assert name in modules(), f'there is no {name} any more'


@pytest.mark.parametrize('module', modules())
def test_no_import_from_above(module: str) -> None:
    path = modules()[module]
    assert arrows_up(module, path.read_text(), path) == []


@pytest.mark.parametrize(
    'text',
    [
        'from ..engine.checkpoint import load_weights',
        'from .. import engine',
        'import point_peft.engine',
        'from point_peft.engine import runtime',
        'def f():\n    from ..apis import init_model',
        'if TYPE_CHECKING:\n    from ..methods.base import TuningMethod',
    ],
)
def test_an_import_from_above_is_found(text: str) -> None:
    path = PACKAGE / 'backbones' / 'new.py'
    assert len(arrows_up('backbones.new', text, path)) == 1
    assert arrows_up('apis.new', text.replace('apis', 'ops'), PACKAGE / 'apis' / 'new.py') == []
