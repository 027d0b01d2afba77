"""Where a fitted state came from, and where the one of a run must come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mmengine.model import BaseModel
from torch.utils.data import Dataset

from ...datasets import unrepeated
from ...io.errors import CheckpointError, FittedStateMismatchError
from ...methods import FittedMethod
from ...registry.built_from import config_of
from ...registry.network import describe_network, first_difference
from ..checkpoint import BaseFingerprint
from .clouds import fingerprint_clouds
from .describe import wrapper_of

Provenance = dict[str, int | str]
"""What a state was fitted on: :data:`FIELDS`, and the method's ``fit_settings()`` beside them.

======================  =======================================================================================
``base_hash``           of the pre-trained weights that described the clouds
``dataset``, ``split``  class of the dataset, and its split
``num_samples``         number of clouds
``few_shot``            ways, shots and fold, and what the fold was drawn from; empty for other datasets
``clouds``              fingerprint of their coordinates, see :func:`fingerprint_clouds`
``backbone``            what the backbone computes, as JSON, see :func:`describe_network`; empty where it was not
                        built from a config
======================  =======================================================================================
"""

FIELDS = dict(base_hash=str, dataset=str, split=str, num_samples=int)
LATER_FIELDS = dict(few_shot=str, clouds=str, backbone=str)
"""Which older files lack."""

ADVICE = 'delete the file to have it rebuilt, or name the right one in default_hooks.fit.file'


def expected_provenance(model: BaseModel, method: FittedMethod, dataset: Dataset | None = None) -> Provenance:
    """What the state of a method in a model must have been fitted on; without a training set, as far as is known."""
    wrapper = wrapper_of(model, method)
    known: Provenance = dict(
        base_hash=BaseFingerprint.of(wrapper.pretrained_state()).hash or '', **method.fit_settings()
    )
    if dataset is None:
        return known
    clouds = unrepeated(dataset)
    num_points = getattr(getattr(model, 'data_preprocessor', None), 'num_points', None)
    cfg = config_of(wrapper.backbone)
    return dict(
        **known,
        dataset=type(clouds).__name__,
        split=str(getattr(clouds, 'split', '')),
        num_samples=len(dataset),  # type: ignore[arg-type]
        few_shot=_describe_fold(dataset),
        clouds=fingerprint_clouds(clouds, num_points),
        backbone='' if cfg is None else json.dumps(describe_network(cfg), sort_keys=True),
    )


def read_provenance(found: Any, method: FittedMethod, what: str) -> Provenance:
    """Take a provenance out of the metadata of a file.

    Args:
        found: What stands there.
        method (FittedMethod): Whose state is in the file.
        what (str): What it is called, with its file.

    Raises:
        CheckpointError: A field is missing, unknown or of another type.
    """
    types = FIELDS | LATER_FIELDS
    types |= {n: type(value) for n, value in (method.fit_settings() | dict(method.usual_settings)).items()}
    needed = types.keys() - LATER_FIELDS.keys() - method.usual_settings.keys()
    if not isinstance(found, Mapping):
        problem = f'a {type(found).__name__} as its provenance'
    elif unknown := sorted(map(str, set(found) - set(types))):
        problem = f'the unknown field {unknown[0]!r:.60}'
    elif missing := sorted(needed - set(found)):
        problem = f'no field {missing[0]!r}'
    elif odd := [name for name in found if type(found[name]) is not types[name]]:
        problem = f'{found[odd[0]]!r:.60} as {odd[0]}, which should be {types[odd[0]].__name__}'
    else:
        return dict(found)
    raise CheckpointError(f'{what} has {problem}, so it is damaged or of another version; {ADVICE}.')


def check_provenance(
    found: Provenance, wanted: Provenance, what: str, usual: Mapping[str, int | str] = MappingProxyType({})
) -> None:
    """Refuse the state of something else; what is not known of the wanted one (empty or 0) is not compared.

    Args:
        found (dict): What the file says; older files lack some fields.
        wanted (dict): What the run needs.
        usual (Mapping): ``usual_settings`` of the method, which either may leave out.
        what (str): What it is called, with its file.

    Raises:
        FittedStateMismatchError: Names the first field that differs, with both values.
    """
    found = {**usual, **found}
    for name, value in {**usual, **wanted}.items():
        if not value or found.get(name) == value:
            continue
        if name in ('clouds', 'backbone') and not found.get(name):
            raise FittedStateMismatchError(
                f'{what} is of an older version, which did not note its {name}, so nothing says that it was made for '
                f'this run; {ADVICE}.'
            )
        place: Any = name
        one, other = found.get(name), value
        if name == 'backbone':
            difference = first_difference(_parsed(one), _parsed(other), name)
            place, one, other = difference or (name, one, other)
        raise FittedStateMismatchError(
            f'{what} was made with {place}={one!r}, but this run needs {other!r}; {ADVICE}.'
        )


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return text


def _describe_fold(dataset: Dataset) -> str:
    """What tells a fold of a few-shot dataset from others with as many clouds; empty for other datasets."""
    metainfo = getattr(dataset, 'metainfo', None) or {}
    fold = metainfo.get('few_shot')
    if not fold:
        return ''
    seed = getattr(dataset, 'seed', None)  # only folds that are drawn here have one
    return (
        f'{fold["num_ways"]}-way {fold["num_shots"]}-shot, fold {fold["fold"]} of {metainfo.get("dataset", "")}'
        + ('' if seed is None else f', seed {seed}')
    )
