"""Where a memory bank came from, and where the one of a run must come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from mmengine.dist import get_world_size
from torch import nn
from torch.utils.data import Dataset

from ...datasets import unrepeated
from ...io.errors import CheckpointError, ConfigError, MemoryBankMismatchError
from ...methods import PEFTBackbone, PointPriorPrompt
from ...methods.memory_bank import NORMALIZATION, too_few_clouds
from ...registry.built_from import config_of
from ...registry.network import describe_network, first_difference
from ..checkpoint import BaseFingerprint
from .clouds import fingerprint_clouds

ADVICE = 'delete the file to have it rebuilt, or name the right one in default_hooks.memory_bank.file'


@dataclass(frozen=True)
class BankProvenance:
    """What a memory bank was made from.

    Attributes:
        base_hash (str): Hash of the pre-trained weights that computed the features.
        dim (int): Feature dimension C.
        num_prior_groups (int): Groups per cloud that the features saw.
        dataset (str): Class of the dataset.
        split (str): Its split.
        num_samples (int): Number of clouds.
        normalization (str): Normalisation of the keys.
        few_shot (str): Ways, shots and fold, and what the fold was drawn from; empty for other datasets.
        clouds (str): Fingerprint of the clouds' coordinates, see :func:`fingerprint_clouds`.
        backbone (str): What the backbone computes, as JSON, see :func:`describe_network`; empty where it was not built
            from a config.
    """

    base_hash: str
    dim: int
    num_prior_groups: int
    dataset: str
    split: str
    num_samples: int
    normalization: str = NORMALIZATION
    few_shot: str = ''
    clouds: str = ''
    backbone: str = ''

    @classmethod
    def read(cls, found: Any, path: object) -> BankProvenance:
        """Take the provenance out of the metadata of a file.

        Raises:
            CheckpointError: A field is missing, unknown or of another type.
        """
        types = {field.name: type(field.default) for field in fields(cls) if field.default is not MISSING}
        types |= dict(base_hash=str, dim=int, num_prior_groups=int, dataset=str, split=str, num_samples=int)
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if not isinstance(found, Mapping):
            problem = f'a {type(found).__name__} as its provenance'
        elif unknown := sorted(map(str, set(found) - set(types))):
            problem = f'the unknown field {unknown[0]!r:.60}'
        elif missing := sorted(needed - set(found)):
            problem = f'no field {missing[0]!r}'
        elif odd := [name for name in found if type(found[name]) is not types[name]]:
            problem = f'{found[odd[0]]!r:.60} as {odd[0]}, which should be {types[odd[0]].__name__}'
        else:
            return cls(**found)
        raise CheckpointError(
            f'memory bank {path} has {problem}, so it is damaged or of another version; {ADVICE}.'
        )


def find_prompt(model: nn.Module) -> tuple[PEFTBackbone, PointPriorPrompt] | None:
    """The tuned backbone and its Point-prior Prompt; None if the model has no memory bank."""
    for wrapper in model.modules():
        if isinstance(wrapper, PEFTBackbone):
            for method in wrapper.methods:
                if isinstance(method, PointPriorPrompt):
                    return wrapper, method
    return None


def require_prompt(model: nn.Module) -> tuple[PEFTBackbone, PointPriorPrompt]:
    """As :func:`find_prompt`.

    Raises:
        ValueError: If the model has no memory bank.
    """
    found = find_prompt(model)
    if found is None:
        raise ValueError(
            'the model has no Point-prior Prompt, so there is no memory bank to build; use a point_peft config.'
        )
    return found


def expected_provenance(model: nn.Module, dataset: Dataset | None = None) -> BankProvenance:
    """What a bank for this model, and this training set if given, must have been made from.

    Raises:
        ValueError: If the model has no memory bank.
    """
    wrapper, prompt = require_prompt(model)
    facts: dict[str, Any] = dict(
        base_hash=BaseFingerprint.of(wrapper.pretrained_state()).hash or '',
        dim=prompt.bank.dim,
        num_prior_groups=min(
            prompt.num_prior_groups or wrapper.backbone.num_groups, wrapper.backbone.num_groups
        ),
    )
    if dataset is None:
        return BankProvenance(**facts, dataset='', split='', num_samples=0)
    clouds = unrepeated(dataset)
    num_points = getattr(getattr(model, 'data_preprocessor', None), 'num_points', None)
    cfg = config_of(wrapper.backbone)
    return BankProvenance(
        **facts,
        dataset=type(clouds).__name__,
        split=str(getattr(clouds, 'split', '')),
        num_samples=len(dataset),  # type: ignore[arg-type]
        few_shot=_describe_fold(dataset),
        clouds=fingerprint_clouds(clouds, num_points),
        backbone='' if cfg is None else json.dumps(describe_network(cfg), sort_keys=True),
    )


def check_provenance(
    found: BankProvenance, wanted: BankProvenance, given: Mapping[str, Any], path: object
) -> None:
    """Refuse a bank of something else; fields that are unknown in ``wanted`` (empty or 0) are not compared.

    Args:
        found (BankProvenance): What the file says.
        wanted (BankProvenance): What the run needs.
        given (Mapping): The fields that the file has, since older files lack some.
        path: Name of the file.

    Raises:
        MemoryBankMismatchError: Names the first field that differs, with both values.
    """
    for name, value in asdict(wanted).items():
        if not value or getattr(found, name) == value and name in given:
            continue
        if name in ('clouds', 'backbone') and not given.get(name):
            raise MemoryBankMismatchError(
                f'memory bank {path} is of an older version, which did not note its {name}, so nothing says that it '
                f'was made for this run; {ADVICE}.'
            )
        place, one, other = name, given.get(name), value
        if name == 'backbone':
            difference = first_difference(_parsed(one), _parsed(other), name)
            place, one, other = difference or (name, one, other)
        raise MemoryBankMismatchError(
            f'memory bank {path} was made with {place}={one!r}, but this run needs {other!r}; {ADVICE}.'
        )


def check_bank(model: nn.Module) -> None:
    """Refuse a bank that has too few rows for the prompt, before a training starts.

    An empty bank leaves prompts un-enhanced and some parameters without gradient, for which several processes would
    wait in vain; one process may train so.

    Raises:
        ConfigError: Says what to do.
    """
    found = find_prompt(model)
    if found is None:
        return
    rows, wanted = len(found[1].bank), found[1].num_retrieved
    if rows == 0 and get_world_size() > 1:
        raise ConfigError(
            'the memory bank is empty, with which several processes cannot train; set default_hooks.memory_bank to '
            "dict(type='MemoryBankHook'), which builds it, or train in one process."
        )
    if 0 < rows < wanted:
        raise ConfigError(too_few_clouds(rows, wanted))


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return text


def _describe_fold(dataset: Dataset | None) -> str:
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
