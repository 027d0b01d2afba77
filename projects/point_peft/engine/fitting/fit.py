"""Fitting a method on the training set, and whether methods are ready to be trained."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset

from ...datasets import unrepeated
from ...io.errors import ConfigError
from ...methods import FittedMethod, fitted_methods
from .describe import describer
from .provenance import Provenance, expected_provenance


def fitting_set(method: FittedMethod, dataset: Any) -> Any:
    """The dataset that an epoch repeats, so that every cloud counts once; unless that were too few for the method.

    Args:
        method (FittedMethod): What is to be fitted.
        dataset (Dataset): The training set, perhaps a ``RepeatDataset``.
    """
    clouds = unrepeated(dataset)
    return clouds if len(clouds) >= method.min_clouds else dataset


@torch.no_grad()
def fit_method(
    model: BaseModel, method: FittedMethod, dataset: Dataset, *, batch_size: int = 64
) -> Provenance:
    """Fit a method on a dataset, without augmentation; several processes share the work.

    Args:
        model (nn.Module): Task model with its base weights loaded.
        method (FittedMethod): A method in it.
        dataset (Dataset): The training clouds.
        batch_size (int): Clouds per step.

    Returns:
        dict: Where the state came from, which is in ``method.fitted_on`` too.

    Raises:
        ConfigError: There are no clouds.
    """
    if not len(dataset):  # type: ignore[arg-type]
        raise ConfigError(
            f'{type(dataset).__name__} has no clouds, so the {method.fitted_name} would be empty; check its files.'
        )
    method.fit(describer(model, method, batch_size), dataset)
    method.fitted_on = expected_provenance(model, method, dataset)
    return method.fitted_on


def check_places(dataset: Any) -> None:
    """Refuse a training set whose clouds do not say where in it they are, for methods that look themselves up by it.

    Args:
        dataset (Dataset): The training set, perhaps a ``RepeatDataset``.

    Raises:
        ConfigError: ``sample_idx`` of the first, the middle or the last one is another number, or missing.
    """
    clouds = unrepeated(dataset)
    for place in {0, len(clouds) // 2, len(clouds) - 1}:
        said = clouds[place]['data_samples'].get('sample_idx')
        if said != place:
            raise ConfigError(
                f'cloud {place} of {type(clouds).__name__} says that its sample_idx is {said}, so a method that looks '
                'up what was fitted to each cloud would take that of another one; take a dataset that numbers its '
                'items, or a setting of the method that looks nothing up.'
            )


def check_ready(model: nn.Module) -> None:
    """Refuse to train methods with the states that they have.

    Raises:
        ConfigError: Says what to do.
    """
    for method in fitted_methods(model).values():
        try:
            method.check_ready()
        except ValueError as error:
            raise ConfigError(str(error)) from error
