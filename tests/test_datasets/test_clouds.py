"""Selection of clouds, in memory and on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from point_peft.datasets.clouds import Clouds
from point_peft.datasets.lazy import LazyClouds


def read(path: Path) -> np.ndarray:
    """One point whose coordinates are the number in the name."""
    return np.full((1, 3), float(path.stem))


def test_subset() -> None:
    """Points, labels, sources and parts go together, in the order asked for."""
    index = np.array([2, 0])
    kinds = [
        np.arange(3.0)[:, None, None].repeat(3, axis=2),
        [np.full((1, 3), float(i)) for i in range(3)],
        LazyClouds([Path(f'{i}.npy') for i in range(3)], read),
    ]
    for points in kinds:
        clouds = Clouds(points, np.arange(3), ['a', 'b', 'c'], parts=np.arange(3)[:, None]).subset(index)
        assert [clouds.points[i][0, 0] for i in range(2)] == [2, 0]
        assert clouds.labels.tolist() == [2, 0]
        assert clouds.sources == ['c', 'a']
        assert [part.tolist() for part in clouds.parts] == [[2], [0]]


def test_lazy_clouds_read_nothing_early() -> None:
    """Selecting does not read; asking for one reads that one."""
    asked: list[Path] = []
    lazy = LazyClouds([Path(f'{i}.npy') for i in range(3)], lambda path: asked.append(path) or read(path))
    chosen = lazy.take(np.array([2, 1]))
    assert len(chosen) == 2 and not asked
    assert chosen[1][0, 0] == 1
    assert asked == [Path('1.npy')]
