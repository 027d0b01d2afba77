"""A scan of ScanNet as it is downloaded, as the arrays that mmdet3d's preparation of the data reads."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from plyfile import PlyData, PlyParseError

from ..io.errors import DatasetError

MESH, SEGMENTS, OBJECTS, META = (
    '_vh_clean_2.ply',
    '_vh_clean_2.0.010000.segs.json',
    '.aggregation.json',
    '.txt',
)
SCAN_FILES = (MESH, SEGMENTS, OBJECTS, META)
"""Files of a scan, each behind the name of the scan; ScanNet's download script takes these as ``--type``."""

ARRAYS = ('vert', 'sem_label', 'ins_label', 'unaligned_bbox', 'aligned_bbox', 'axis_align_matrix')
"""Arrays that are made of a scan, ``<scan>_<array>.npy``."""

BOX_CLASSES = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)
"""Ids of NYU40 whose objects get a box, those of ScanNet's detection task with 18 classes."""


def read_class_ids(path: Path) -> dict[str, int]:
    """Ids of NYU40 by the names that annotators gave, of ``scannetv2-labels.combined.tsv``."""
    with path.open(newline='') as file:
        return {row['raw_category']: int(row['nyu40id']) for row in csv.DictReader(file, delimiter='\t')}


def export_scan(scan: Path, out_dir: Path, class_ids: Mapping[str, int]) -> None:
    """Write the arrays of one scan; ScanNet's README describes the files that are read.

    Args:
        scan (Path): Directory of the scan, with :data:`SCAN_FILES`.
        out_dir (Path): Existing directory for :data:`ARRAYS`: vertices (N, 6) float32, metres and colors from 0 to
            255, not aligned; class of NYU40 (N,) and object (N,) of each vertex, int64, 0 for none; boxes (M, 7) of
            the vertices as they are and aligned with the room's walls: center, size, class; the alignment (4, 4).
        class_ids (Mapping[str, int]): Ids of NYU40 by name, see :func:`read_class_ids`.

    Raises:
        DatasetError: A file is damaged, or the files do not fit together; names the file.
    """
    vertices = _read_vertices(scan / f'{scan.name}{MESH}')
    classes, objects = _read_labels(scan, len(vertices), class_ids)
    alignment = _read_alignment(scan / f'{scan.name}{META}')
    aligned = vertices[:, :3] @ alignment[:3, :3].T + alignment[:3, 3]
    arrays = (
        vertices,
        classes,
        objects,
        _boxes(vertices[:, :3], classes, objects),
        _boxes(aligned, classes, objects),
        alignment,
    )
    for name, array in zip(ARRAYS, arrays):
        np.save(out_dir / f'{scan.name}_{name}.npy', array)


def _read_vertices(path: Path) -> np.ndarray:
    """Coordinates and colors (N, 6) float32 of a mesh's vertices."""
    try:
        vertices = PlyData.read(path)['vertex']
        columns = [vertices[name] for name in ('x', 'y', 'z', 'red', 'green', 'blue')]
    except (PlyParseError, KeyError, ValueError) as error:
        raise DatasetError(f"'{path}' cannot be read ({error}); download it again.") from error
    return np.stack(columns, axis=1).astype(np.float32)


def _read_labels(
    scan: Path, num_vertices: int, class_ids: Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Class of NYU40 (N,) and object (N,) of each vertex, int64, 0 for none: of the segment that it is in."""
    path = scan / f'{scan.name}{SEGMENTS}'
    segment_of = np.asarray(_read_json(path, 'segIndices'), dtype=np.int64)
    if segment_of.shape != (num_vertices,):
        raise DatasetError(
            f"'{path}' has {len(segment_of)} vertices and the mesh {num_vertices}; download both again."
        )
    path = scan / f'{scan.name}{OBJECTS}'
    groups = _read_json(path, 'segGroups')
    unknown = sorted({group['label'] for group in groups} - set(class_ids))
    if unknown:
        raise DatasetError(
            f"'{path}' has the label '{unknown[0]}', which scannetv2-labels.combined.tsv lacks; get both anew."
        )
    size = 1 + max([int(segment_of.max()), *(max(group['segments'], default=0) for group in groups)])
    class_of, object_of = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for group in groups:
        class_of[group['segments']] = class_ids[group['label']]
        object_of[group['segments']] = group['objectId'] + 1
    return class_of[segment_of], object_of[segment_of]


def _read_json(path: Path, key: str) -> Any:
    """One entry of a JSON file."""
    try:
        return json.loads(path.read_bytes())[key]
    except (ValueError, KeyError) as error:
        raise DatasetError(f"'{path}' cannot be read ({error}); download it again.") from error


def _read_alignment(path: Path) -> np.ndarray:
    """Matrix (4, 4) that turns a room's walls along the axes; a few scans have none and stay as they are."""
    for line in path.read_text().splitlines():
        name, _, value = line.partition('=')
        if name.strip() == 'axisAlignment':
            return np.array(value.split(), dtype=np.float64).reshape(4, 4)
    return np.eye(4)


def _boxes(points: np.ndarray, classes: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Boxes (M, 7) about the points (N, 3) of objects with :data:`BOX_CLASSES`: center, size, class; by object id."""
    size = int(objects.max()) + 1
    low, high = np.full((size, 3), np.inf), np.full((size, 3), -np.inf)
    np.minimum.at(low, objects, points)
    np.maximum.at(high, objects, points)
    class_of = np.zeros(size, np.int64)
    class_of[objects] = classes  # all points of an object have its class
    kept = np.isin(class_of, BOX_CLASSES)
    low, high = low[kept], high[kept]
    return np.concatenate([(low + high) / 2, high - low, class_of[kept, None]], axis=1)
