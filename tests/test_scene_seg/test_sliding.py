"""Blocks that slide over a scene."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from rooms import room
from torch import Tensor

from point_peft.models.sliding_blocks import SlidingBlocks


def scene(size: tuple[float, float] = (3.2, 2.7), num_points: int = 500) -> Tensor:
    """Random rows (N, 6) in a room of this size, away from the origin."""
    generator = torch.Generator().manual_seed(0)
    coords = torch.rand(num_points, 3, generator=generator) * torch.tensor([*size, 2.5]) + torch.tensor(
        [5.0, -7.0, 0.1]
    )
    return torch.cat([coords, torch.rand(num_points, 3, generator=generator)], dim=1)


@pytest.mark.parametrize('size', [(3.2, 2.7), (0.4, 0.3), (1.5, 1.5), (6.0, 0.2)])
@pytest.mark.parametrize('num_points', [16, 64, 2048])
def test_every_point_is_in_a_block(size: tuple[float, float], num_points: int) -> None:
    """Also in rooms smaller than a block; points of a block are within its window."""
    rows, sliding = scene(size), SlidingBlocks(num_points=num_points)
    blocks = sliding.cut(rows[:, :3])
    assert blocks.point_index.shape[1] == num_points and len(blocks.centers) == len(blocks.point_index)
    assert set(blocks.point_index.flatten().tolist()) == set(range(len(rows)))
    columns = sliding.inputs(rows, blocks)
    assert columns.shape == (*blocks.point_index.shape, 6)
    assert columns[..., :2].abs().max() <= 0.75 + 2e-3


def test_windows_are_brute_force_ones() -> None:
    """The points of every window, by a loop over all positions and points."""
    rows, sliding = scene((2.9, 1.9), 60), SlidingBlocks(num_points=1, block_size=1.0, sample_rate=0.5)
    found = sliding.cut(rows[:, :3])
    low, high = rows[:, :2].amin(0), rows[:, :2].amax(0)
    expected = []
    for j in range(3):
        for i in range(5):
            start = torch.minimum(low + 0.5 * torch.tensor([i, j]), high - 1.0)
            for k, (x, y) in enumerate(rows[:, :2]):
                if -1e-3 <= x - start[0] <= 1.001 and -1e-3 <= y - start[1] <= 1.001:
                    expected.append((k, *(start + 0.5).tolist()))
    listed = zip(found.point_index.flatten().tolist(), *found.centers.T.tolist())
    assert torch.allclose(torch.tensor(sorted(listed)), torch.tensor(sorted(expected)), atol=1e-5)


def test_points_are_dealt_out_evenly() -> None:
    """Within a window no point comes more than once more often than another, and few points are repeated."""
    rows = scene((1.0, 1.0), 70)
    (counts,) = {
        SlidingBlocks(num_points=32).cut(rows[:, :3]).point_index.flatten().bincount().unique().numel()
    }
    assert counts <= 2
    assert SlidingBlocks(num_points=32).cut(rows[:, :3]).point_index.shape == (3, 32)
    assert SlidingBlocks(num_points=200).cut(rows[:, :3]).point_index.flatten().bincount().min() == 2


def test_the_same_every_time() -> None:
    """Nothing random is taken from, or left to, the rest of the program."""
    rows = scene()
    state = torch.get_rng_state()
    first = SlidingBlocks(num_points=64).cut(rows[:, :3])
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(first.point_index, SlidingBlocks(num_points=64).cut(rows[:, :3]).point_index)


@pytest.mark.usefixtures('detection_tier')
@pytest.mark.parametrize('use_normalized_coord', [False, True])
def test_windows_are_those_of_mmdet3d(use_normalized_coord: bool) -> None:
    """A model that looks at each point alone gets the same mean over the windows as mmdet3d gives it."""
    from mmdet3d.models.segmentors import EncoderDecoder3D

    rows = torch.from_numpy(room(60)[0])
    columns = 9 if use_normalized_coord else 6
    mix = torch.randn(columns, 4, generator=torch.Generator().manual_seed(1)) / 10

    def decode(x: Tensor) -> Tensor:
        return (x @ mix).sin()

    settings = dict(
        num_points=1,
        block_size=1.0,
        sample_rate=0.5,
        use_normalized_coord=use_normalized_coord,
        batch_size=4096,
    )
    theirs = SimpleNamespace(
        test_cfg=SimpleNamespace(**settings),
        num_classes=4,
        encode_decode=lambda x, _: decode(x).transpose(1, 2),
        _sliding_patch_generation=lambda *args: EncoderDecoder3D._sliding_patch_generation(theirs, *args),
        _input_generation=EncoderDecoder3D._input_generation,
    )
    expected = EncoderDecoder3D.slide_inference(theirs, rows, {}, False).T
    sliding = SlidingBlocks(**settings)
    blocks = sliding.cut(rows[:, :3])
    total = torch.zeros(len(rows), 4)
    total.index_add_(0, blocks.point_index.flatten(), decode(sliding.inputs(rows, blocks)).flatten(0, 1))
    found = total / blocks.point_index.flatten().bincount().unsqueeze(1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
