"""Going through a config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

DATALOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def walk_dicts(node: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """All dicts in a config with their place, such as ``model.backbone.hooks[0]``, outer ones first."""
    if isinstance(node, (Mapping, Config)):
        yield path, node
        for key, value in node.items():
            yield from walk_dicts(value, f'{path}.{key}' if path else str(key))
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from walk_dicts(value, f'{path}[{index}]')


def option_key(place: str) -> str:
    """A place as ``--cfg-options`` takes it: ``param_scheduler.0.end`` for ``param_scheduler[0].end``."""
    return place.replace('[', '.').replace(']', '')


def find_leaves(cfg: Config, name: str) -> list[str]:
    """Where a config has a key that holds a plain value, as ``--cfg-options`` takes it; the shortest places first."""
    found = [
        option_key(f'{place}.{name}')
        for place, node in walk_dicts(cfg)
        if place and name in node and not isinstance(node[name], Mapping)
    ]
    return sorted(found, key=lambda place: place.count('.'))
