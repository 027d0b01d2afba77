"""Engine, models and entry points know what methods are, and no method by its name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from point_peft import methods
from point_peft.methods import TuningMethod

PACKAGE = Path(__file__).resolve().parents[1] / 'projects' / 'point_peft'
FILES = sorted(
    path
    for name in ('engine', 'adapters', 'apis', 'models', 'io', 'cli')
    for path in (PACKAGE / name).rglob('*.py')
)
CONTRACT = {'TuningMethod', 'FittedMethod', 'DeepPrompt'}
NAMES = {
    name for name, kind in vars(methods).items() if isinstance(kind, type) and issubclass(kind, TuningMethod)
}
FITTED = re.compile(r'(?i)(?<![a-z])(memory_?)?banks?(?![a-z])|prompt')
"""What the only method here that is fitted calls its state, and itself."""

OTHERS = {
    'sections.py': ("'memory_bank'", "'MemoryBankHook'"),
    'shipped.py': ("'build_memory_bank'", "'bank'"),
    'main.py': ("'bank'",),
}
"""Names in configs of earlier versions, which are refused with those of today; names of tools."""


def words(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of every name and every literal in a file's code, without docstrings and comments."""
    tree = ast.parse(text)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value
        for field in ('id', 'attr', 'arg', 'name', 'asname', 'module'):
            if isinstance(name := getattr(node, field, None), str):
                yield getattr(node, 'lineno', 0), name


def named_methods(text: str) -> list[str]:
    """Places where code names a method."""
    return [
        f'line {line}: {word!r:.80}'
        for line, word in words(text)
        if FITTED.search(word) or not (NAMES - CONTRACT).isdisjoint(re.findall(r'\w+', word))
    ]


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_method_by_its_name(path: Path) -> None:
    text = path.read_text()
    for other in OTHERS.get(path.name, ()):
        text = text.replace(other, "''")
    assert named_methods(text) == []


@pytest.mark.parametrize(
    'text',
    [
        'from ..methods import PointPriorPrompt',
        "model = dict(type='point_peft.LoRA')",
        'def check_bank(): pass',
        'hook.memory_bank = 1',
        "print('the memory bank is empty')",
        "f'{path} is no memory bank'",
        'MemoryBank(3)',
        'f(bank_hash=3)',
        'import bank',
    ],
)
def test_a_method_by_its_name_is_found(text: str) -> None:
    assert named_methods(text)
    assert not named_methods(f'"""The memory bank of a LoRA."""\nembankment = 1  # {text}')


def test_methods_are_known() -> None:
    assert {'LoRA', 'PointPriorPrompt', 'VPTDeep'} < NAMES - CONTRACT
