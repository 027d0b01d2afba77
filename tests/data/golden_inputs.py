"""Inputs of the golden outputs in ``golden/``: weights, memory bank, clouds and mask, all made from seeds.

``golden/KEY.json`` lists the tensors of a published model by name and shape; a tensor's name is its seed. The outputs
in ``golden/KEY.npz`` were computed by the published code from these inputs.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parent / 'golden'
RULES = ('A', 'B')
"""``A`` has the scale of a fresh initialisation, ``B`` that of trained weights."""

NUM_MASKED, NUM_VISIBLE = 38, 26


def description(key: str) -> dict[str, Any]:
    """Config and tensor shapes of a published model."""
    return json.loads((FOLDER / f'{key}.json').read_text())


def outputs(key: str) -> Mapping[str, np.ndarray]:
    """What the published code computed."""
    with np.load(FOLDER / f'{key}.npz') as file:
        return dict(file)


def weights(shapes: Iterable[tuple[str, Sequence[int]]], rule: str = 'B') -> dict[str, Tensor]:
    """Fill tensors of the given names and shapes."""
    return {name: _weight(name, tuple(shape), rule) for name, shape in shapes}


def memory_bank(columns: int = 2048, dim: int = 384) -> Tensor:
    """(C, N) bank of unit columns."""
    bank = torch.randn(dim, columns, generator=_generator('bank'))
    return bank / bank.norm(dim=0, keepdim=True)


def clouds(num_points: int = 2048) -> Tensor:
    """Two clouds (2, N, 3), the first N of 2048 points, centred in the unit sphere."""
    points = torch.randn(2, 2048, 3, generator=torch.Generator().manual_seed(0))
    points -= points.mean(dim=1, keepdim=True)
    points /= points.norm(dim=-1).amax(dim=1).view(-1, 1, 1)
    return points[:, :num_points].contiguous()


def pretraining_mask() -> Tensor:
    """(2, 64) mask of the pre-training loss, True where a group is hidden: numpy's shuffle with seed 0."""
    random = np.random.RandomState(0)
    rows = []
    for _ in range(2):
        row = np.repeat([False, True], [NUM_VISIBLE, NUM_MASKED])
        random.shuffle(row)
        rows.append(row)
    return torch.from_numpy(np.stack(rows))


def probe(name: str, shape: Sequence[int]) -> Tensor:
    """Direction on which the golden gradients are projected."""
    return torch.randn(*shape, generator=_generator(f'probe:{name}'))


def _generator(text: str) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(text.encode()))


def _weight(name: str, shape: tuple[int, ...], rule: str) -> Tensor:
    kind = name.rpartition('.')[2]
    if kind == 'num_batches_tracked':
        return torch.zeros(shape, dtype=torch.int64)
    if kind == 'running_var':
        return 1 + 0.2 * torch.rand(shape, generator=_generator(name))
    values = torch.randn(shape, generator=_generator(name))
    if kind == 'running_mean':
        return 0.05 * values
    if len(shape) < 2:
        scale = 0.02 if rule == 'A' else 0.1
        return 1 + 0.1 * values if kind == 'weight' else scale * values
    if rule == 'A':
        return 0.02 * values
    is_weight = kind.endswith('weight')  # also ``in_proj_weight``
    return values * (math.prod(shape[1:]) ** -0.5 if is_weight else 0.5)
