"""Checks that a checkpoint is built as its readers take for granted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .plain_state import from_plain
from .structure_rules import DATASET, HUB, META, OWN_KEY, RUN_VALUES, SECTIONS, Rules, rules_for_own


def check_structure(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Check the types of what is read later on: by the runner, by its hooks, and by the tools.

    Only keys that have a meaning here are looked at, so files of others may hold what they like beside them.

    Raises:
        CheckpointError: One is of another type; names the file and the key.
    """
    _check_names(checkpoint, path)
    meta, hub = _as_mapping(checkpoint.get('meta')), checkpoint.get('message_hub')
    own = _as_mapping(meta.get(OWN_KEY))
    sections: list[tuple[str, Any, Rules]] = [
        ('', checkpoint, SECTIONS),
        ('meta.', meta, META),
        (f'meta.{OWN_KEY}.', own, rules_for_own(own)),
        ('meta.dataset_meta.', _as_mapping(meta.get('dataset_meta')), DATASET),
        ('message_hub.', _as_mapping(hub), HUB),
    ]
    for prefix, section, checks in sections:
        for key, (fits, wanted) in checks.items():
            if key in section and not fits(section[key]):
                raise _refusal(path, f'{prefix}{key}', section[key], wanted)
    _check_message_hub(checkpoint, path)


def _check_names(checkpoint: Mapping[str, Any], path: Path) -> None:
    """The top level and the tensors have names."""
    for place, section in (('', checkpoint), ('state_dict', checkpoint.get('state_dict', {}))):
        if not isinstance(section, Mapping):
            raise _refusal(path, place, section, 'a dict of tensors')
        odd = next((key for key in section if not isinstance(key, str)), None)
        if odd is not None:
            raise CheckpointError(
                f'{path} has the name {odd!r:.80}{f" in {place}" if place else ""}, which is no text; '
                'use a file that training or the converter wrote.'
            )


def _check_message_hub(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Objects can be made again from what stands for them, and the curves and values of the run are such."""
    for name in ('meta', 'message_hub', 'param_schedulers'):
        try:
            from_plain(checkpoint.get(name))
        except (KeyError, AttributeError, TypeError, ValueError, RuntimeError, AssertionError) as error:
            raise CheckpointError(
                f'{path} has something in {name} that cannot be restored ({type(error).__name__}: {error!s:.80}); use '
                'a file that training wrote.'
            ) from error
    info = _as_mapping(_as_mapping(checkpoint.get('message_hub')).get('runtime_info'))
    for key, value in info.items():
        found = next((check for start, check in RUN_VALUES.items() if str(key).startswith(start)), None)
        if found and value is not None and not found[0](value):
            raise _refusal(path, f'message_hub.runtime_info.{key}', value, found[1])


def _refusal(path: Path, place: str, value: Any, wanted: str) -> CheckpointError:
    return CheckpointError(
        f'{path} has {value!r:.60} ({type(value).__name__}) as {place}, which should be {wanted}; use a file that '
        'training or the converter wrote.'
    )


def _as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
