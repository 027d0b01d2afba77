"""Reading a part of a config's text without running it."""

from __future__ import annotations

import ast
from typing import Any

_MAX_TEXT = 2**20
"""Characters; the longest config of the project has some ten thousand."""


def read_section(text: str, name: str) -> Any:
    """A top-level value of a config that MMEngine wrote as text, as in the ``meta`` of its checkpoints.

    Only literals and ``dict(...)`` are understood: the text comes from a file, so it must not be executed, as
    ``Config.fromstring`` would do.

    Args:
        text (str): ``cfg.pretty_text``.
        name (str): The variable.

    Returns:
        Its value; None if there is none, or if it is made of anything else.
    """
    if len(text) > _MAX_TEXT:
        return None
    try:
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.Assign) and [ast.unparse(t) for t in statement.targets] == [name]:
                return _value(statement.value)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass  # a damaged or foreign text says nothing
    return None


def _value(node: ast.expr) -> Any:
    """Value of an expression.

    Raises:
        ValueError: It is no literal.
    """
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == 'dict'
        and not node.args
    ):
        return {_keyword(keyword): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        return {_value(_required(key)): _value(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    return ast.literal_eval(node)


def _keyword(keyword: ast.keyword) -> str:
    return str(_required(keyword.arg))


def _required(part: Any) -> Any:
    """What an unpacking (``**other``) has not."""
    if part is None:
        raise ValueError('an unpacked dict is no literal')
    return part
