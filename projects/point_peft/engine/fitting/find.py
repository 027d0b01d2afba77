"""Finding the files of fitted states again, for evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.model import BaseModel

from ...io.errors import CheckpointError, ConfigError, FittedStateMismatchError
from ...methods import FittedMethod, fitted_methods
from ..checkpoint import check_other_state, noted_hash
from .files import read_fitted, take_fitted
from .fit import check_ready
from .provenance import expected_provenance


def file_name(method: FittedMethod) -> str:
    """Name of the file of a method's state, such as ``memory_bank.safetensors``."""
    return f'{method.fitted_name.replace(" ", "_")}.safetensors'


def check_single(model: BaseModel, named: str | None) -> None:
    """Refuse one file for the states of several methods.

    Raises:
        ConfigError: Says what to do.
    """
    methods = list(fitted_methods(model).values())
    if named and len(methods) > 1:
        names = ' and a '.join(method.fitted_name for method in methods)
        raise ConfigError(
            f'default_hooks.fit.file names one file, but the model has a {names}; leave it out, and put their files '
            'into the work directory.'
        )


def find_fitted(
    model: BaseModel,
    folders: Sequence[str | Path],
    meta: Mapping[str, Any],
    source: str,
    *,
    named: str | None = None,
    allow_other: bool = False,
) -> None:
    """Give every method in a model its state from a file, for evaluation.

    Args:
        model (nn.Module): Task model.
        folders (Sequence[str | Path]): Where to look for the files, best first.
        meta (Mapping): ``meta`` of the adapter, which has the hashes of the states that it was trained with.
        source (str): Name of the adapter.
        named (str | None): File that goes before them.
        allow_other (bool): Take the first file that exists, with a warning if it is another one.

    Raises:
        ConfigError: One file is named for several methods.
        CheckpointError: See :func:`attach_fitted`.
    """
    check_single(model, named)
    for method in fitted_methods(model).values():
        beside = [Path(folder) / file_name(method) for folder in folders]
        files = (
            [Path(named)] if named and Path(named).is_file() else [*([Path(named)] if named else []), *beside]
        )
        attach_fitted(model, method, files, meta, source, allow_other=allow_other)


def attach_fitted(
    model: BaseModel,
    method: FittedMethod,
    candidates: Sequence[str | Path],
    meta: Mapping[str, Any],
    source: str,
    *,
    allow_other: bool = False,
) -> Path | None:
    """Give a method the state of the first of some files that fits; arguments as of :func:`find_fitted`.

    Returns:
        Path | None: The file, or None if none is needed.

    Raises:
        CheckpointError: If an adapter that was trained with a state finds none.
        FittedStateMismatchError: Or only others, fitted on something else or of another hash.
    """
    if method.is_fitted:
        check_other_state(method, method.content_hash(), meta, source, allow=allow_other)
        return None
    problem: FittedStateMismatchError | None = None
    for path in filter(Path.is_file, map(Path, candidates)):
        try:
            file = read_fitted(path, method, expected_provenance(model, method))
            check_other_state(method, file.hash, meta, source, allow=allow_other)
        except FittedStateMismatchError as error:
            problem = problem or error
            continue
        take_fitted(method, file)
        check_ready(model)
        return path
    if problem is not None:
        raise problem
    if wanted := noted_hash(method, meta):
        raise CheckpointError(
            f'the adapter was trained with {method.fitted_name} {wanted}, which is in none of '
            f'{[str(c) for c in candidates]}; put its file there, or {method.fitted_advice}.'
        )
    return None
