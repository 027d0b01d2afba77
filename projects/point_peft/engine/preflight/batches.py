"""Looking at the batches of a training before it begins."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from ...io.errors import ConfigError
from ...methods import fitted_methods
from ...registry.wrappers import unwrap
from ..runtime.randomness import preserved_rng

TRIAL = 2
"""Objects in the trial batch: the fewest from which batch norms can tell how many values one object brings."""


def check_batches(runner: Runner) -> None:
    """Check that the training set fills at least one batch, and none with too little for a batch norm; builds it.

    Args:
        runner (Runner): A runner that is about to train.

    Raises:
        ConfigError: Not a single step would be taken; or a batch of one object would end the training, perhaps after
            an epoch.
    """
    loader = runner.train_loop.dataloader  # builds the loop, where runner.train_dataloader may be its config
    rounds = isinstance(loader.sampler, InfiniteSampler)  # which fills a batch with several of them
    if len(loader) == 0 and not rounds:
        raise ConfigError(_describe_empty(loader))
    if loader.batch_size != 1 and (rounds or loader.drop_last or _remainder(loader) != 1):
        return
    norm = find_starved_norm(runner)
    if norm is not None:
        raise ConfigError(
            f'{_describe_single(loader)}, and the batch norm {norm} cannot learn from a single object; set '
            f'train_dataloader.{"batch_size to 2 or more" if loader.batch_size == 1 else "drop_last=True"}.'
        )


def find_starved_norm(runner: Runner) -> str | None:
    """Name of a batch norm that a batch of one object would stop in training; None if there is none.

    Some norms see one value per object, and others, of points or patches, see many: a forward pass of two objects
    tells. It leaves no trace in the model and in the random numbers.
    """
    model: Any = unwrap(runner.model)
    dataset = runner.train_loop.dataloader.dataset
    starved: list[str] = []
    with preserved_rng(), torch.no_grad(), _as_in_training(model), _watched_norms(model, starved):
        collate = runner.train_loop.dataloader.collate_fn
        batch = collate([dataset[index % len(dataset)] for index in range(TRIAL)])
        data = model.data_preprocessor(batch, True)
        model(**data, mode='loss') if isinstance(data, dict) else model(*data, mode='loss')
    return starved[0] if starved else None


@contextmanager
def _watched_norms(model: nn.Module, starved: list[str]) -> Iterator[None]:
    """Collect the training norms that see one value per object, while a trial batch goes through the model."""

    def watch(name: str) -> Any:
        def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if module.training and inputs[0].numel() == TRIAL * inputs[0].shape[1]:
                starved.append(name)

        return look

    alone = get_world_size() == 1
    handles = [
        module.register_forward_pre_hook(watch(f'{name} ({type(module).__name__})'))
        for name, module in model.named_modules()
        # A synchronised norm has the objects of all processes.
        if isinstance(module, _BatchNorm) and (alone or not isinstance(module, nn.SyncBatchNorm))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _as_in_training(model: nn.Module) -> Iterator[None]:
    """Training mode, after which buffers and modes are what they were."""
    modes = {module: module.training for module in model.modules()}
    buffers = {name: copy.deepcopy(value) for name, value in model.named_buffers()}
    warned = {method: method.warned_empty for method in fitted_methods(model).values()}
    for method in warned:  # that will be fitted before training
        method.warned_empty = True
    model.train()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        with torch.no_grad():
            for name, value in model.named_buffers():
                value.copy_(buffers[name])
        for method, said in warned.items():
            method.warned_empty = said


def _describe_empty(loader: DataLoader) -> str:
    """Why a loader has no batch."""
    items, batch = len(loader.sampler), loader.batch_size  # type: ignore[arg-type]
    if items == 0:
        return f'{type(loader.dataset).__name__} has nothing to train on; check its files.'
    return (
        f'the training set has {items} samples{_share()}, which do not fill a batch of {batch}, and drop_last=True '
        f'leaves out what does not; set train_dataloader.batch_size to {items} or less.'
    )


def _describe_single(loader: DataLoader) -> str:
    """Which batch has one object."""
    items, batch = len(loader.sampler), loader.batch_size  # type: ignore[arg-type]
    if batch == 1:
        return 'train_dataloader.batch_size is 1'
    if items == 1:
        return f'the training set has one sample{_share()}'
    return f'of {items} training samples{_share()} in batches of {batch} the last batch has one'


def _remainder(loader: DataLoader) -> int | None:
    """Objects in the last batch beyond full ones; None where the batches have no fixed size."""
    return len(loader.sampler) % loader.batch_size if loader.batch_size else None  # type: ignore[arg-type]


def _share() -> str:
    """For whom the samples are, where there are several processes."""
    return f' for each of {get_world_size()} processes' if get_world_size() > 1 else ''
