"""What a network computes, as far as its config says it, and whether two configs mean the same."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from ..io.config_text import read_section
from ..io.errors import OtherNetworkError
from ..io.weights.structure_rules import OWN_KEY
from . import MODELS
from .built_from import config_of, remember_config
from .wrappers import unwrap

IGNORED = {
    '_scope_',
    'auxiliary_head',
    'data_preprocessor',
    'drop_path',
    'drop_path_rate',
    'dropout',
    'frozen_dtype',
    'init_cfg',
    'label_smoothing',
    'pretrained',
    'saved_dtype',
    'test_cfg',
    'train_cfg',
}
"""Arguments that matter in training only, that say where weights come from (their hash is compared) or how tensors are
stored, or how results are gathered from what the network computes."""

IGNORED_START = 'loss'

PREFIX = 'point_peft.'

HEADS = 'num_heads'


class Difference(NamedTuple):
    """Where two descriptions part.

    Attributes:
        place (str): As in the config: ``model.peft.methods[0].type``.
        saved: Value in the checkpoint.
        wanted: Value in the config.
    """

    place: str
    saved: Any
    wanted: Any


ABSENT = 'nothing'
"""Stands for a key that is not there."""


def note_config(model: nn.Module, cfg: Config) -> None:
    """Remember the config that a runner built its model from."""
    if isinstance(cfg.get('model'), Mapping):
        remember_config(unwrap(model), cfg['model'])


def network_of(model: nn.Module) -> dict[str, Any] | None:
    """Description of a network that was built from a config; None for others."""
    cfg = config_of(unwrap(model))
    return None if cfg is None else describe_network(cfg)


def describe_network(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Description of a network: its config as plain data, with defaults written out, without what is ignored.

    A description is described as itself, but for arguments that have been added since, which get their defaults.

    Args:
        cfg (Mapping): Config of a model or of a part of one.
    """
    description = _describe(cfg)
    assert isinstance(description, dict)
    return description


def check_network(
    model: nn.Module, meta: Mapping[str, Any], source: str, *, allow_other: bool = False
) -> None:
    """Refuse a checkpoint of a network that computes something else, though its tensors may fit.

    Args:
        model (nn.Module): Model that is to be filled.
        meta (Mapping): ``meta`` of the checkpoint. Older files have no description; there the text of the training's
            config serves.
        source (str): Name of the checkpoint.
        allow_other (bool): Only warn.

    Raises:
        OtherNetworkError: Names the first key that differs, with both values.
    """
    wanted, saved = network_of(model), saved_network(meta)
    if wanted is None:
        return
    if saved is None:
        print_log(
            f'{source} does not say of which network it is, so it cannot be compared with the config in what changes '
            'no tensor (num_heads, group_size, scale ...).',
            logger='current',
        )
        return
    found = first_difference(saved, wanted)
    if found is None:
        return
    problem = describe_difference(found, source)
    if not allow_other:
        raise OtherNetworkError(
            f'{problem}; use the config of that training, or, if you mean it, set '
            'default_hooks.delta.allow_other_network=True.'
        )
    print_log(f'loading all the same: {problem}', logger='current', level=logging.WARNING)


def check_heads(module: nn.Module, meta: Mapping[str, Any], source: str) -> None:
    """Refuse pre-trained weights of a network with another number of attention heads, which changes no tensor's shape.

    Points, groups and their size may differ from the pre-training's; the weights are meant for that.

    Args:
        module (nn.Module): Network that is to be filled, such as a backbone.
        meta (Mapping): ``meta`` of the file; one that does not describe its network passes.
        source (str): Name of the file.

    Raises:
        OtherNetworkError: With both numbers.
    """
    wanted, saved = network_of(module), saved_network(meta)
    part = _part_like(saved, wanted['type']) if saved and wanted else None
    if part is None or wanted is None or part.get(HEADS) == wanted.get(HEADS):
        return
    raise OtherNetworkError(
        f'{source} was pre-trained with {HEADS}={_shown(part.get(HEADS, ABSENT))}, but the config has '
        f'{_shown(wanted.get(HEADS, ABSENT))}, and the weights mean nothing to other attention heads; set '
        f'{HEADS} of the backbone to that of the file.'
    )


def saved_network(meta: Mapping[str, Any]) -> dict[str, Any] | None:
    """Description of the network that a checkpoint was saved by; None if it does not say."""
    saved = (meta.get(OWN_KEY) or {}).get('network')
    if saved is None and isinstance(meta.get('cfg'), str):
        saved = read_section(meta['cfg'], 'model')
    return describe_network(saved) if isinstance(saved, Mapping) else None


def first_difference(saved: Any, wanted: Any, place: str = 'model') -> Difference | None:
    """The first place where two descriptions differ, those of types before others; None if they agree."""
    if isinstance(saved, dict) and isinstance(wanted, dict):
        keys = dict.fromkeys(['type', *wanted, *saved])
        pairs = [(f'{place}.{key}', saved.get(key, ABSENT), wanted.get(key, ABSENT)) for key in keys]
    elif isinstance(saved, list) and isinstance(wanted, list) and len(saved) == len(wanted):
        pairs = [(f'{place}[{index}]', *pair) for index, pair in enumerate(zip(saved, wanted))]
    else:
        return None if saved == wanted else Difference(place, saved, wanted)
    found = (first_difference(one, other, where) for where, one, other in pairs)
    return next((difference for difference in found if difference is not None), None)


def describe_difference(found: Difference, source: str) -> str:
    """A difference as a clause."""
    return (
        f'{source} was saved by another network: {found.place} is {_shown(found.saved)} in it but '
        f'{_shown(found.wanted)} in the config'
    )


def _part_like(description: Any, kind: str) -> dict[str, Any] | None:
    """The first part of a description that has a type, outer ones before inner ones."""
    if isinstance(description, dict) and description.get('type') == kind:
        return description
    inner = description.values() if isinstance(description, dict) else description
    found = (_part_like(part, kind) for part in inner) if isinstance(description, (dict, list)) else ()
    return next((part for part in found if part is not None), None)


def _shown(value: Any) -> str:
    """A value in a few words: of parts, their types."""
    if isinstance(value, dict):
        return str(value.get('type', 'a dict'))
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return f'[{", ".join(_shown(item) for item in value)}]'
    return value if value is ABSENT else repr(value)


def _describe(value: Any) -> Any:
    """Any part of a config as plain data."""
    if isinstance(value, Mapping):
        known = _defaults(value['type']) if 'type' in value else {}
        merged = {**known, **{str(key): item for key, item in value.items()}}
        return {key: _describe(item) for key, item in merged.items() if not _is_ignored(key)}
    if isinstance(value, (list, tuple)):
        return [_describe(item) for item in value]
    if inspect.isclass(value):
        return value.__name__
    if isinstance(value, str):
        return value.removeprefix(PREFIX)
    return value if isinstance(value, (bool, int, float, type(None))) else str(value)


def _is_ignored(key: str) -> bool:
    return key in IGNORED or key.startswith(IGNORED_START)


def _defaults(kind: Any) -> dict[str, Any]:
    """Default arguments of a type of this project; of others they are not known.

    Only what is registered already is looked at: a name from a file must not make anything be imported.
    """
    if isinstance(kind, str):
        MODELS.import_from_location()
        kind = MODELS.module_dict.get(kind.removeprefix(PREFIX))
    defaults: dict[str, Any] = {}
    for cls in inspect.getmro(kind) if inspect.isclass(kind) else ():
        if '__init__' not in vars(cls) or cls is object:
            continue
        parameters = inspect.signature(vars(cls)['__init__']).parameters.values()
        for parameter in parameters:
            if parameter.default is not parameter.empty:
                defaults.setdefault(parameter.name, parameter.default)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return defaults
