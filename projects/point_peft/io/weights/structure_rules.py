"""What the parts of a checkpoint that are read later on must look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Check = Callable[[Any], bool]

Rules = dict[str, tuple[Check, str]]
"""By key: whether a value fits, and what it should be, in words."""

OWN_KEY = 'point_peft'
"""Key of what the project notes in ``meta``."""

HASH_SUFFIX = '_hash'

COUNT_LIMIT = 2**31

SEED_LIMIT = 2**32
"""NumPy takes no larger seeds."""


def _is_mapping(value: Any) -> bool:
    return value is None or isinstance(value, Mapping)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < COUNT_LIMIT


def _is_seed(value: Any) -> bool:
    return value is None or isinstance(value, int) and not isinstance(value, bool) and 0 <= value < SEED_LIMIT


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_list(value: Any, item: Check) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and all(map(item, value))


def _are_names(value: Any) -> bool:
    return value is None or _is_list(value, lambda name: isinstance(name, str))


def _are_parts(value: Any) -> bool:
    """Parts of every class: their numbers by its name."""
    return value is None or (
        isinstance(value, Mapping)
        and all(isinstance(name, str) and _is_list(ids, _is_count) for name, ids in value.items())
    )


def _are_dicts(value: Any) -> bool:
    """A list of dicts, or several such lists by name."""
    lists = value.values() if isinstance(value, Mapping) else [value]
    return value is None or all(_is_list(one, lambda item: isinstance(item, Mapping)) for one in lists)


def _is_optimizer(value: Any) -> bool:
    """The state of one optimizer, or of several by name."""
    if value is None or not isinstance(value, Mapping):
        return value is None
    if 'param_groups' not in value:
        return all(isinstance(name, str) and isinstance(one, Mapping) for name, one in value.items())
    states = value.get('state', {})
    return (
        _is_list(value['param_groups'], lambda group: isinstance(group, Mapping))
        and all(_is_list(group.get('params'), _is_count) for group in value['param_groups'])
        and isinstance(states, Mapping)
        and all(isinstance(state, Mapping) for state in states.values())
    )


def _is_history(value: Any) -> bool:
    """Results of epochs, as the protocol keeps them."""
    return _is_list(
        value,
        lambda result: (
            isinstance(result, Mapping)
            and _is_count(result.get('epoch'))
            and all(
                isinstance(part, Mapping) and all(map(_is_number, part.values()))
                for key, part in result.items()
                if key != 'epoch'
            )
        ),
    )


def _are_flags(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(flag, bool) for flag in value.values())


def _are_curves(value: Any) -> bool:
    """Curves by name, each standing for MMEngine's buffer."""
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(curve, Mapping) for name, curve in value.items()
    )


DICT = (_is_mapping, 'a dict')
COUNT = (_is_count, 'a whole number from 0')
TEXT = (_is_text, 'text')

SECTIONS: Rules = dict(
    meta=DICT,
    message_hub=DICT,
    optimizer=(_is_optimizer, 'the state of an optimizer'),
    param_schedulers=(_are_dicts, 'a list of dicts'),
)

META: Rules = {
    OWN_KEY: DICT,
    'dataset_meta': DICT,
    'epoch': COUNT,
    'iter': COUNT,
    'cfg': TEXT,
    'seed': (_is_seed, 'a whole number from 0 to 4294967295'),
}

OWN: Rules = dict(
    format=(lambda value: value in ('delta', 'full'), "'delta' or 'full'"),
    base_hash=TEXT,
    network=DICT,
)


def rules_for_own(own: Mapping[str, Any]) -> Rules:
    """Rules for what the project notes, among it ``KEY_hash`` and ``KEY`` of states that methods have fitted."""
    hashes = [key for key in own if isinstance(key, str) and key.endswith(HASH_SUFFIX)]
    origins = {key.removesuffix(HASH_SUFFIX): DICT for key in hashes}
    return {**origins, **dict.fromkeys(hashes, TEXT), **OWN}


DATASET: Rules = dict(
    classes=(_are_names, 'a list of names'),
    parts=(_are_names, 'a list of names'),
    class_parts=(_are_parts, 'numbers of parts by the name of a class'),
)

HUB: Rules = dict(
    log_scalars=(_are_curves, 'curves by name'),
    runtime_info=(lambda value: isinstance(value, Mapping), 'a dict'),
    resumed_keys=(_are_flags, 'truth values by name'),
)

RUN_VALUES: Rules = dict(
    protocol_history=(_is_history, 'a list of results of epochs'),
    epoch=COUNT,
    iter=COUNT,
    max_epochs=COUNT,
    max_iters=COUNT,
)
"""Values of the run that something takes for granted, by how their names start; the checkpoint hook sees to its own."""
