"""Building the memory bank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch
from mmengine.dist import collect_results, get_dist_info
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import Dataset

from ...datasets import unrepeated
from ...io.errors import ConfigError
from ...registry.wrappers import outermost_with
from .provenance import BankProvenance, expected_provenance, require_prompt


def bank_dataset(model: nn.Module, dataset: Any) -> Any:
    """The dataset that an epoch repeats, so that the bank holds every cloud once; unless that were too few.

    Args:
        model (nn.Module): Task model with a Point-prior Prompt.
        dataset (Dataset): The training set, perhaps a ``RepeatDataset``.
    """
    _, prompt = require_prompt(model)
    clouds = unrepeated(dataset)
    return clouds if len(clouds) >= prompt.num_retrieved else dataset


@torch.no_grad()
def build_bank(model: BaseModel, dataset: Dataset, *, batch_size: int = 64) -> BankProvenance:
    """Fill the model's memory bank from a dataset, without augmentation; several processes share the work.

    Args:
        model (nn.Module): Task model with a Point-prior Prompt and its base weights loaded.
        dataset (Dataset): The training clouds.
        batch_size (int): Clouds per step.

    Raises:
        ConfigError: If there are no clouds.
    """
    wrapper, prompt = require_prompt(model)
    ((_, owner),) = outermost_with(model, 'backbone_points')
    rank, world_size = get_dist_info()
    size = len(dataset)  # type: ignore[arg-type]
    if size == 0:
        raise ConfigError(
            f'{type(dataset).__name__} has no clouds, so the memory bank would be empty; check its files.'
        )
    per_process = -(-size // world_size)
    mine = [index % size for index in range(rank, per_process * world_size, world_size)]
    was_training = model.training
    model.eval()
    parts = []
    for batch in _track([mine[i : i + batch_size] for i in range(0, len(mine), batch_size)]):
        samples = [dataset[index] for index in batch]
        points = [sample['inputs']['points'] for sample in samples]
        data = model.data_preprocessor(dict(inputs=dict(points=points), data_samples=None), False)
        clouds = owner.backbone_points(data['inputs'])
        with torch.autocast(clouds.device.type, enabled=False):  # as in a forward, whose query shall match
            tokens = wrapper.backbone.embed(clouds)
        parts += list(wrapper.pretrained_summary(prompt.prior_tokens(tokens)).cpu())
    model.train(was_training)
    rows = collect_results(parts, size, device='cpu')  # rank 0 gets them in the order of the dataset
    prompt.bank.fill(_from_rank_0(rows).to(prompt.bank.keys.device))
    provenance = expected_provenance(model, dataset)
    prompt.bank.provenance = asdict(provenance)  # goes into full checkpoints
    return provenance


def _from_rank_0(rows: list[Tensor] | None) -> Tensor:
    """Stack on rank 0 and send to the others."""
    from mmengine.dist import broadcast_object_list

    box: list[Any] = [torch.stack(rows) if rows is not None else None]
    broadcast_object_list(box)
    return box[0]


def _track(batches: Sequence[list[int]]) -> Iterator[list[int]]:
    """Show progress on the main process."""
    from rich.progress import track

    rank, _ = get_dist_info()
    print_log(f'building the memory bank from {sum(map(len, batches))} clouds per process', logger='current')
    yield from track(batches, description='memory bank', disable=rank != 0)
