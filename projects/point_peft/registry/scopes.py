"""Scope ``point_peft`` in the registries to which the project adds nothing of its own.

A run's default scope is ``point_peft``. MMEngine warns for every registry that has no such child before it
uses its own, so these are made here, all empty; what they are asked for is found in their parents.
"""

from __future__ import annotations

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

from .. import registry as project_registry

SCOPE = project_registry.MODELS.scope


def root_registries() -> dict[str, Registry]:
    """MMEngine's root registries by their variable name (``MODELS``, ``HOOKS`` ...)."""
    return {
        name: value
        for name, value in vars(mmengine_registry).items()
        if isinstance(value, Registry) and value.parent is None
    }


def known_scopes() -> set[str]:
    """Names of the packages whose types a config can name without a prefix, as far as they are imported.

    MMEngine's own is none of them: it does not see the types of this project.
    """
    return {SCOPE, *(scope for root in root_registries().values() for scope in root.children)}


def _make_missing_children() -> dict[str, Registry]:
    """Add an empty child of the project's scope where there is none."""
    return {
        name: Registry(root.name, parent=root, scope=SCOPE, build_func=root.build_func)
        for name, root in root_registries().items()
        if SCOPE not in root.children
    }


EMPTY_REGISTRIES = _make_missing_children()
"""The children that were made, by the name of their parent."""
