"""What the signatures of the things that a config builds say."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from mmengine.registry import Registry

from ... import registry as project_registry
from ...registry.scopes import SCOPE, root_registries


def takes_text(kind: Any, name: str) -> bool:
    """Whether the type that is named in a config takes a text, and no number, as an argument.

    Args:
        kind (Any): Value of ``type``.
        name (str): Name of the argument.
    """
    targets = [registry.get(kind) for registry in registries_with(kind)] if isinstance(kind, str) else [kind]
    texts = [_annotation(parameter) for target in targets if (parameter := _parameter(target, name))]
    return any('str' in text and 'int' not in text and 'float' not in text for text in texts)


def takes_number_only(target: Any, name: str) -> bool:
    """Whether a class or function takes numbers, and perhaps None, as an argument, as its signature says.

    Args:
        target: Class or function.
        name (str): Name of the argument.
    """
    parameter = _parameter(target, name)
    words = set(re.findall(r'\w+', _annotation(parameter))) - {'typing'} if parameter else set()
    return bool(words & {'int', 'float'}) and words <= {
        'int',
        'float',
        'bool',
        'None',
        'NoneType',
        'Optional',
        'Union',
    }


def _annotation(parameter: inspect.Parameter) -> str:
    """The type of a parameter as text; empty if it has none."""
    note = parameter.annotation
    if note is parameter.empty:
        return ''
    return note.__name__ if isinstance(note, type) else str(note)


def registries() -> Iterator[Registry]:
    """The project's registries, then MMEngine's."""
    yield from (
        value
        for value in vars(project_registry).values()
        if isinstance(value, Registry) and value.scope == SCOPE
    )
    yield from root_registries().values()


def registries_with(kind: str) -> list[Registry]:
    """Registries that hold a name themselves."""
    found = []
    for registry in registries():
        registry.import_from_location()
        if kind.rpartition('.')[2] in registry.module_dict:
            found.append(registry)
    return found


def accepted_arguments(target: Any) -> set[str] | None:
    """Names of the arguments that a class or function takes.

    ``**kwargs`` of a class are taken to go to the next class in its method resolution order; where that ends
    in a class that swallows them, or nothing can be known, the answer is None.

    Args:
        target: Class or function.
    """
    functions = (
        [vars(cls)['__init__'] for cls in inspect.getmro(target) if '__init__' in vars(cls)]
        if inspect.isclass(target)
        else [target]
    )
    names: set[str] = set()
    for function in functions:
        if function is object.__init__:
            return None
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return None
        names |= {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD}
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return names - {'self', 'args'}
    return None


def _parameter(target: Any, name: str) -> inspect.Parameter | None:
    """The parameter of a class or function with a name, looked for in its bases too."""
    for function in [target, *(inspect.getmro(target)[1:] if inspect.isclass(target) else ())]:
        try:
            if name in (parameters := inspect.signature(function).parameters):
                return parameters[name]
        except (TypeError, ValueError):
            continue
    return None
