"""What the files of an adapter say: where its tensors are, and what it is built from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..io.addresses import fetch, fetch_folder, is_address, is_folder
from ..io.errors import CheckpointError, MissingFileError, OtherNetworkError
from ..io.text import printable
from ..registry.network import saved_network
from .collection import Adapters
from .plain_module import NamedSites
from .recipes import checked_head, checked_methods

CONFIG, TENSORS = 'adapter_config.json', 'adapter.safetensors'
"""Names of the files in a folder."""

MAX_CONFIG_BYTES = 1 << 20


def find_files(path: str | Path) -> tuple[Path, Path, dict[str, Any]]:
    """The file of tensors, the folder of what was fitted, and the config, empty if there is none."""
    if isinstance(path, str) and is_address(path):
        path = fetch_folder(path) if is_folder(path) else fetch(path)
    path = Path(path).expanduser()
    if path.is_file():
        return path, path.parent, {}
    if not path.is_dir():
        raise MissingFileError(
            f'there is no adapter {printable(path)}; give a folder of save_adapter, or a checkpoint.'
        )
    for name in (CONFIG, TENSORS):
        if not (path / name).is_file():
            raise MissingFileError(f'{printable(path)} has no {name}, so it is no folder of save_adapter.')
    return path / TENSORS, path, _read_config(path / CONFIG)


def _read_config(path: Path) -> dict[str, Any]:
    """The content of the JSON file."""
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise CheckpointError(
            f'{printable(path)} is larger than any config of an adapter; use another folder.'
        )
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f'{printable(path)} is no JSON ({error!s:.100}); save the adapter anew.'
        ) from error
    if not isinstance(found, dict) or 'methods' not in found:
        raise CheckpointError(
            f'{printable(path)} has no methods, so it is no config of an adapter of this project.'
        )
    return found


def saved_sites(config: Mapping[str, Any], file: Path) -> tuple[NamedSites | None, list[str]]:
    """Where methods act in a plain module, and its modules that were trained, by the config of an adapter."""
    sites, kept = config.get('sites'), config.get('modules_to_save') or []
    if sites is None:
        return None, []
    try:
        return NamedSites(**sites), [str(path) for path in kept]
    except TypeError as error:
        raise CheckpointError(
            f'{printable(file.parent / CONFIG)} has sites of another form ({error}).'
        ) from error


def saved_recipe(
    adapters: Adapters, config: Mapping[str, Any], meta: Mapping[str, Any], file: Path
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Configs of the methods and of the head: as the folder says, or as the checkpoint describes its network."""
    source = printable(file.parent / CONFIG if config else file)
    for what, own in adapters.place.types.items():
        if config.get(what, own) != own:
            raise OtherNetworkError(
                f'{source} is of a {config[what]} as {what}, but the model has a {own}; use the model that it is of.'
            )
    if config:
        methods, head = config['methods'], config.get('head')
    else:
        network = saved_network(meta)
        methods, head = adapters.place.parts_of(network) if network else (None, None)
    if methods is None:
        raise CheckpointError(
            f'{source} does not say which methods it is of, or is of another kind of model; load it with init_model '
            'and the config of its training.'
        )
    return checked_methods(methods, source), checked_head(head, source)
