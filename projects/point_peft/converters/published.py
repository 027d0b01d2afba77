"""A published file, read under the names of the official code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..io.weights.names import Renames, apply_renames
from . import torch_pointcloud

OFFICIAL = 'official'


@dataclass(frozen=True)
class PublishedFile:
    """A published file under official names.

    Attributes:
        source (str): Its name, for messages.
        naming (str): Whose naming it follows.
        tensors (dict[str, Tensor]): Tensors by official name.
        names (dict[str, str]): Published names, by official name.
    """

    source: str
    naming: str
    tensors: dict[str, Tensor]
    names: dict[str, str]

    @classmethod
    def read(cls, state: Mapping[str, Tensor], source: str) -> PublishedFile:
        """Bring the tensors of a file to official names and shapes."""
        if not torch_pointcloud.is_collection(state):
            return cls(source, OFFICIAL, dict(state), {name: name for name in state})
        official = torch_pointcloud.official_names(state)
        tensors = torch_pointcloud.official_shapes({official[name]: value for name, value in state.items()})
        return cls(source, torch_pointcloud.NAMING, tensors, {ours: name for name, ours in official.items()})

    def renamed(self, renames: Renames, shapes: Mapping[str, torch.Size]) -> dict[str, str]:
        """Our names of those tensors that fit ``shapes`` but for ones at the end, by official name."""
        ours = {name: apply_renames(name, renames) for name in self.tensors}
        return {
            name: ours[name]
            for name, value in self.tensors.items()
            if ours[name] in shapes and _trimmed(shapes[ours[name]]) == _trimmed(value.shape)
        }


def _trimmed(shape: Sequence[int]) -> list[int]:
    """A shape without the ones at its end: a 1x1 convolution is a linear layer."""
    sizes = list(shape)
    while sizes and sizes[-1] == 1:
        sizes.pop()
    return sizes
