"""Cutting a scene into overlapping blocks, so that every point of it is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

BOUNDARY = 1e-3
"""Metres by which a window reaches over its edges, so that rounding leaves no point out."""


class Blocks(NamedTuple):
    """The blocks of a scene.

    Attributes:
        point_index (Tensor): (K, num_points) int64, the points of every block in the scene.
        centers (Tensor): (K, 2) x and y of the middle of the window that a block was taken from.
    """

    point_index: Tensor
    centers: Tensor


@dataclass(frozen=True)
class SlidingBlocks:
    """Windows that slide over the floor of a room, as high as the room; each gives one or more blocks.

    The names are those of mmdet3d's ``test_cfg``, and so are the windows (``EncoderDecoder3D.slide_inference``). The
    points of a window are dealt out at random, but the same way every time.

    Attributes:
        num_points (int): Points per block; a window that has too few repeats some.
        block_size (float): Edge of a window in metres.
        sample_rate (float): Step from one window to the next, as a share of ``block_size``.
        use_normalized_coord (bool): Whether coordinates relative to the room's largest are added to the columns.
        batch_size (int): Blocks that go through the model at once.
    """

    num_points: int = 4096
    block_size: float = 1.5
    sample_rate: float = 0.5
    use_normalized_coord: bool = False
    batch_size: int = 16

    def cut(self, coords: Tensor) -> Blocks:
        """Cut a scene (N, 3) into blocks that together have all its points."""
        generator = torch.Generator().manual_seed(0)
        x_starts, y_starts = (self._starts(coords[:, axis]) for axis in (0, 1))
        index, centers = [], []
        for y in y_starts:
            row = self._inside(coords[:, 1], y).nonzero().squeeze(1)
            for x in x_starts:
                window = row[self._inside(coords[row, 0], x)]
                if len(window):
                    blocks = self._deal(window, generator)
                    index.append(blocks)
                    centers += [(x + self.block_size / 2, y + self.block_size / 2)] * len(blocks)
        return Blocks(torch.cat(index), coords.new_tensor(centers))

    def inputs(self, scene: Tensor, blocks: Blocks) -> Tensor:
        """Columns of the points of blocks, as ``IndoorPatchPointSample`` gives them for training.

        Args:
            scene (Tensor): (N, D) coordinates and colors.
            blocks (Blocks): K blocks of it.

        Returns:
            Tensor: (K, num_points, D), x and y relative to the middle of the window; three columns more with
            ``use_normalized_coord``.
        """
        points = scene[blocks.point_index]
        coords = points[..., :2] - blocks.centers.unsqueeze(1)
        columns = [coords, points[..., 2:]]
        if self.use_normalized_coord:
            columns.append(points[..., :3] / scene[:, :3].amax(dim=0))
        return torch.cat(columns, dim=-1)

    def _starts(self, values: Tensor) -> list[float]:
        """Lower edges of the windows along an axis; the last window ends with the scene."""
        low, high = float(values.min()), float(values.max())
        step = self.block_size * self.sample_rate
        count = max(math.ceil((high - low - self.block_size) / step), 0) + 1
        return [min(low + i * step, high - self.block_size) for i in range(count)]

    def _inside(self, values: Tensor, start: float) -> Tensor:
        """Mask of the values within a window that starts there."""
        return (values >= start - BOUNDARY) & (values <= start + self.block_size + BOUNDARY)

    def _deal(self, window: Tensor, generator: torch.Generator) -> Tensor:
        """Deal the points of a window (n,) out to blocks (k, num_points), each point about equally often."""
        order = torch.randperm(len(window), generator=generator).to(window.device)
        size = math.ceil(len(window) / self.num_points) * self.num_points
        return window[order].repeat(math.ceil(size / len(window)))[:size].view(-1, self.num_points)
