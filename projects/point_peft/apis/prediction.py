"""Predictions on objects: how their clouds are prepared, what the classes are called, and batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel

from ..datasets.preparation import Preparation, preparation_of
from ..engine.config.classes import dataset_class, datasets_of
from ..io.errors import ConfigError, DatasetError, PointPEFTError
from ..structures import PointDataSample
from .answers import Answer


def preparation_for_files(cfg: Config, normalize: str | None = None) -> Preparation:
    """How clouds are prepared: as the dataset does that a config's model is tested on, or else validated or trained on.

    Args:
        cfg (Config): The config.
        normalize (str | None): ``unit_sphere`` or ``none`` in place of what the dataset does; None for that.

    Raises:
        ConfigError: No dataset says how, nor does ``normalize``; or that is something else.
    """
    if normalize not in (None, 'none', 'unit_sphere'):
        raise ConfigError(f"normalize='{normalize}' is unknown; give unit_sphere or none.")
    dataset = next(reversed(datasets_of(cfg)), None)
    try:
        if dataset is None:
            raise DatasetError('the config has no dataset, which would say how a single cloud is prepared.')
        found = preparation_of(dataset)
    except DatasetError as error:
        if normalize is None:
            raise ConfigError(
                f'{str(error).rstrip(".")}; give --normalize unit_sphere or none (in Python normalize=).'
            ) from error
        found = Preparation()
    if normalize is None:
        return found
    return replace(found, normalize=None if normalize == 'none' else normalize)


def dataset_meta(cfg: Config, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Names of classes and parts as the training noted them; as the config's dataset has them where it did not.

    Args:
        cfg (Config): The config.
        meta (Mapping): ``meta`` of the checkpoint; empty without one.
    """
    noted = meta.get('dataset_meta')
    if noted:
        return dict(noted)
    dataset = dataset_class((cfg.get('test_dataloader') or {}).get('dataset'))
    found = {name: getattr(dataset, name, None) for name in ('classes', 'parts', 'class_parts')}
    return {name: value for name, value in found.items() if isinstance(value, (tuple, Mapping)) and value}


def find_category(category: str | int | None, names: Sequence[str], num_categories: int) -> int:
    """Index of the category that is named, or given by its index.

    Args:
        category (str | int | None): Its name in any case, or its index.
        names (Sequence[str]): Names of all categories; may be empty.
        num_categories (int): How many the model has.

    Raises:
        ConfigError: None is given, or it is unknown.
    """
    names = [str(name) for name in names]
    known = f'one of {", ".join(names)}' if names else 'its index, as the checkpoint has no names'
    if category is None:
        raise ConfigError(
            f'the model segments the parts of objects whose category is known; give the category, {known}.'
        )
    lower = [name.lower() for name in names]
    text = str(category)
    if text.lower() in lower:
        return lower.index(text.lower())
    if not text.isdecimal() or (names and int(text) >= len(names)):
        raise ConfigError(f"category '{text}' is unknown; give {known}.")
    if int(text) >= num_categories:
        raise ConfigError(f'category {text} is too large; the model has {num_categories} categories.')
    return int(text)


def predict(model: BaseModel, answers: Sequence[Answer], batch_size: int) -> Iterator[None]:
    """Let a model say what clouds are, in batches as a test has them, since float32 rounds otherwise in others.

    Args:
        model (BaseModel): The model, in evaluation mode.
        answers (Sequence[Answer]): Clouds without a problem; each gets its ``sample`` or, if the model cannot take it,
            the problem.
        batch_size (int): Clouds at a time.

    Yields:
        None: Once for every cloud.
    """
    for group in batches(answers, batch_size):
        try:
            for answer, sample in zip(group, _predict(model, group)):
                answer.sample = sample.cpu()
        except ValueError as error:
            for answer in group:  # of one size, so that none fits
                answer.problem = PointPEFTError(f"'{answer.source}' cannot be processed: {error}")
                answer.problem.__cause__ = error
        yield from (None for _ in group)


def batches(answers: Sequence[Answer], batch_size: int) -> Iterator[Sequence[Answer]]:
    """Clouds as many at a time as a batch has; those of other sizes than their batch go alone."""
    for start in range(0, len(answers), batch_size):
        group = answers[start : start + batch_size]
        sizes = {len(answer.points) for answer in group if answer.points is not None}
        yield from [group] if len(sizes) == 1 else ([answer] for answer in group)


@contextmanager
def evaluating(model: BaseModel) -> Iterator[None]:
    """Have a model in evaluation mode."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _predict(model: BaseModel, group: Sequence[Answer]) -> list[PointDataSample]:
    """Predictions on a batch of clouds of one size."""
    samples = [PointDataSample(metainfo=dict(source=answer.source)) for answer in group]
    inputs: dict[str, Any] = dict(points=[answer.points for answer in group])
    if group[0].category is not None:
        for answer, sample in zip(group, samples):
            sample.category = torch.tensor(answer.category)
        inputs['category'] = [sample.category for sample in samples]
    with torch.no_grad():
        return model.test_step({'inputs': inputs, 'data_samples': samples})
