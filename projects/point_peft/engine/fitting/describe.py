"""Descriptors of all clouds of a dataset by the pre-trained backbone, for methods to fit themselves on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, collect_results, get_dist_info
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor

from ...io.errors import InvalidValueError
from ...io.progress import track
from ...methods import FittedMethod, PEFTBackbone
from ...methods.fitted import Describe
from ...registry.wrappers import outermost_with
from ...structures import PointTokens


def wrapper_of(model: BaseModel, method: FittedMethod) -> PEFTBackbone:
    """The tuned backbone in a model that a method belongs to.

    Raises:
        InvalidValueError: It belongs to none.
    """
    for module in model.modules():
        if isinstance(module, PEFTBackbone) and any(own is method for own in module.methods):
            return module
    raise InvalidValueError(
        f'{type(method).__name__} is no method of this {type(model).__name__}, so it cannot be fitted.'
    )


def describer(model: BaseModel, method: FittedMethod, batch_size: int) -> Describe:
    """What a method asks for descriptors (N, C) of a dataset's clouds; see :data:`~.Describe`.

    Args:
        model (nn.Module): Task model with its base weights loaded.
        method (FittedMethod): A method in it.
        batch_size (int): Clouds per step.
    """
    wrapper = wrapper_of(model, method)
    ((_, owner),) = outermost_with(model, 'backbone_points')

    @torch.no_grad()
    def describe(dataset: Any, tokens: Callable[[PointTokens], PointTokens]) -> Tensor:
        rank, world_size = get_dist_info()
        size = len(dataset)
        per_process = -(-size // world_size)
        mine = [index % size for index in range(rank, per_process * world_size, world_size)]
        was_training = model.training
        model.eval()
        parts = []
        batches = [mine[start : start + batch_size] for start in range(0, len(mine), batch_size)]
        for batch in _shown(batches, method.fitted_name):
            samples = [dataset[index] for index in batch]
            points = [sample['inputs']['points'] for sample in samples]
            data = model.data_preprocessor(dict(inputs=dict(points=points), data_samples=None), False)
            clouds = owner.backbone_points(data['inputs'])
            summary = wrapper.pretrained_summary(tokens(wrapper.embed(clouds)), method.described_layers)
            parts += list(summary.cpu())
        model.train(was_training)
        return _from_rank_0(collect_results(parts, size, device='cpu'))  # in the order of the dataset

    return describe


def _from_rank_0(rows: list[Tensor] | None) -> Tensor:
    """Stack on rank 0 and send to the others."""
    box: list[Any] = [torch.stack(rows) if rows is not None else None]
    broadcast_object_list(box)
    return box[0]


def _shown(batches: Sequence[list[int]], name: str) -> Iterator[list[int]]:
    """Show progress on the main process."""
    rank, _ = get_dist_info()
    print_log(f'building the {name} from {sum(map(len, batches))} clouds per process', logger='current')
    yield from track(batches, name, disable=rank != 0)
