"""Scans in the layout of ScanNet's download, made here, and what is true of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from plyfile import PlyData, PlyElement

CLASS_IDS = {'wall': 1, 'office chair': 5, 'coffee table': 7, 'floor lamp': 35}
"""Classes of NYU40 by raw name; chairs and tables have boxes, walls and lamps have not."""

ANGLE, SHIFT = 0.3, (1.0, -2.0, 0.5)
"""How the room is turned about z and moved by its alignment."""


@dataclass(frozen=True)
class TrueScan:
    """What a scan should become.

    Attributes:
        vertices (np.ndarray): (N, 6) float32, as in the mesh.
        aligned (np.ndarray): (N, 3) coordinates after alignment.
        classes (np.ndarray): (N,) id of NYU40, 0 for none.
        objects (np.ndarray): (N,) object from 1, 0 for none.
        boxes (np.ndarray): (M, 7) aligned boxes of chairs and tables with their class, by object.
        alignment (np.ndarray): (4, 4).
    """

    vertices: np.ndarray
    aligned: np.ndarray
    classes: np.ndarray
    objects: np.ndarray
    boxes: np.ndarray
    alignment: np.ndarray


def write_class_file(path: Path) -> None:
    """Write the table of labels, with columns that are not needed and in another order."""
    rows = ['id\traw_category\tcount\tnyu40id'] + [f'9\t{name}\t4\t{i}' for name, i in CLASS_IDS.items()]
    path.write_text('\n'.join(rows) + '\n')


def write_scan(scan: Path, names: list[str], *, per_object: int = 1500, seed: int = 0) -> TrueScan:
    """Write a scan with one object per name, in any order of points, and as many points that are no object's."""
    rng = np.random.default_rng(seed)
    objects = rng.permutation(np.repeat(np.arange(len(names) + 1), per_object))
    centers, sizes = rng.uniform(-3, 3, (len(names) + 1, 3)), rng.uniform(0.4, 2, (len(names) + 1, 3))
    sizes[0] = 8.0
    aligned = centers[objects] + (rng.random((len(objects), 3)) - 0.5) * sizes[objects]
    turn = np.array([[np.cos(ANGLE), -np.sin(ANGLE), 0], [np.sin(ANGLE), np.cos(ANGLE), 0], [0, 0, 1]])
    alignment = np.eye(4)
    alignment[:3, :3], alignment[:3, 3] = turn, SHIFT
    raw = ((aligned - SHIFT) @ turn).astype(np.float32)  # the transpose turns back
    vertices = np.concatenate([raw, rng.integers(0, 256, (len(raw), 3))], axis=1).astype(np.float32)
    _write_mesh(scan, vertices)
    _write_labels(scan, names, objects, rng)
    numbers = ' '.join(f'{value:.8f}' for value in alignment.ravel())
    (scan / f'{scan.name}.txt').write_text(f'sceneType = Office\naxisAlignment = {numbers} \nnumFrames = 2\n')
    boxes = [
        [*(low + high) / 2, *(high - low), CLASS_IDS[name]]
        for number, name in enumerate(names, 1)
        if name in ('office chair', 'coffee table')
        for low, high in [(aligned[objects == number].min(0), aligned[objects == number].max(0))]
    ]
    classes = np.array([0, *(CLASS_IDS[name] for name in names)])[objects]
    return TrueScan(vertices, aligned, classes, objects, np.array(boxes).reshape(-1, 7), alignment)


def _write_mesh(scan: Path, vertices: np.ndarray) -> None:
    """Write a binary mesh with alpha, as ScanNet has it, and without faces."""
    scan.mkdir(parents=True)
    kinds = [(name, 'f4') for name in 'xyz'] + [(name, 'u1') for name in ('red', 'green', 'blue', 'alpha')]
    rows = np.array([tuple(row) for row in np.pad(vertices, ((0, 0), (0, 1))).tolist()], dtype=kinds)
    PlyData([PlyElement.describe(rows, 'vertex')]).write(scan / f'{scan.name}_vh_clean_2.ply')


def _write_labels(scan: Path, names: list[str], objects: np.ndarray, rng: np.random.Generator) -> None:
    """Cut every object, and what is none's, into three segments with scattered ids, and list the objects."""
    ids = rng.permutation(1000)[: 3 * (len(names) + 1)].reshape(-1, 3)
    segments = ids[objects, rng.integers(3, size=len(objects))]
    content = dict(params={}, sceneId=scan.name, segIndices=segments.tolist())
    (scan / f'{scan.name}_vh_clean_2.0.010000.segs.json').write_text(json.dumps(content))
    groups = [
        dict(id=number, objectId=number, segments=ids[number + 1].tolist(), label=name)
        for number, name in enumerate(names)
    ]
    content = dict(sceneId=f'scannet.{scan.name}', segGroups=groups[::-1])
    (scan / f'{scan.name}.aggregation.json').write_text(json.dumps(content))
