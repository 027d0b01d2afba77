"""The config that a training left in its checkpoints, read without running anything in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..engine.config import DATALOADERS, walk_dicts
from ..engine.config.options import apply_option
from ..io.addresses import is_address, kept_file
from ..io.config_text import read_section
from ..io.errors import ConfigError
from ..io.shipped import call_of
from ..io.text import printable
from ..io.weights import OWN_KEY, from_plain, load_checkpoint_file
from ..registry import DATASETS, MODELS, TRANSFORMS

INITIALIZERS = {'Pretrained'}
"""Types of MMEngine that a model may name."""

KEPT = ('dataset', 'batch_size')
"""What predictions need of a data loader."""


def config_of_checkpoint(checkpoint: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """What a model and its predictions need of the config in a checkpoint: model, data preprocessor, datasets.

    The file may come from anywhere. Its text is read as literals, and may name only what the package, or a module that
    was imported before, has registered; nothing is imported for it.

    Args:
        checkpoint (str | Path): The file.
        options (Mapping | None): Changes to the config, as of ``--cfg-options``.

    Raises:
        ConfigError: The file has no config, or one that names anything else; says what to do.
        CheckpointError: The file cannot be read.
    """
    meta = from_plain(load_checkpoint_file(checkpoint).get('meta') or {})
    text = meta.get('cfg')
    model = read_section(text, 'model') if isinstance(text, str) else None
    advice = (
        f'give the config too: {call_of("infer.py")} CONFIG {printable(checkpoint)} ..., '
        'Inferencer(CONFIG, CHECKPOINT)'
    )
    if not isinstance(model, Mapping) or not isinstance(text, str):
        raise ConfigError(
            f'{printable(checkpoint)} does not hold the config of its training, as files of {call_of("train.py")} '
            f'do; {advice}'
        )
    sections: dict[str, Any] = dict(
        default_scope='point_peft', model=model, data_preprocessor=read_section(text, 'data_preprocessor')
    )
    for name in DATALOADERS:
        loader = read_section(text, name)
        if isinstance(loader, Mapping) and isinstance(loader.get('dataset'), Mapping):
            sections[name] = {key: loader[key] for key in KEPT if key in loader}
    _check_types(sections, f'the config in {printable(checkpoint)}', advice)
    if (meta.get(OWN_KEY) or {}).get('format') == 'delta':
        _check_addresses(sections, printable(checkpoint), options or {})
    cfg = Config(sections)
    for key, value in (options or {}).items():
        apply_option(cfg, key, value)
    return cfg


def _check_addresses(sections: Mapping[str, Any], checkpoint: str, options: Mapping[str, Any]) -> None:
    """Refuse base weights at an address that the user has neither named nor fetched before.

    Raises:
        ConfigError: There are such; a file from anywhere would make this machine ask another for something.
    """
    for place, node in walk_dicts(sections):
        address, key = node.get('checkpoint'), f'{place}.checkpoint'
        is_own = node.get('type') == 'Pretrained' and is_address(address)
        if is_own and key not in options and kept_file(address) is None:
            raise ConfigError(
                f'{checkpoint} is an adapter for weights at {printable(address)}, which are not fetched because a file '
                f'says so; if you trust the address, add --cfg-options {key}={printable(address)}'
            )


def _check_types(sections: Mapping[str, Any], source: str, advice: str) -> None:
    """Refuse types that are not registered: MMEngine would import a module by such a name.

    Raises:
        ConfigError: There is one.
    """
    known = set(INITIALIZERS)
    for registry in (MODELS, DATASETS, TRANSFORMS):
        registry.import_from_location()
        known |= registry.module_dict.keys()
    for place, node in walk_dicts(sections):
        kind = node.get('type')
        if 'type' in node and not (isinstance(kind, str) and kind.removeprefix('point_peft.') in known):
            raise ConfigError(
                f'{source} names {place}.type={printable(repr(kind))}, which is not a part of this package, and is not '
                f'imported because a file says so; {advice}'
            )
