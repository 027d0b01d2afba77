"""Scans of ScanNet, from the files that are downloaded to the arrays that mmdet3d reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from raw_scans import CLASS_IDS, write_class_file, write_scan

from point_peft.datasets.scannet_scans import ARRAYS, export_scan, read_class_ids
from point_peft.io.errors import DatasetError

NAMES = ['wall', 'office chair', 'floor lamp', 'office chair', 'coffee table']


def exported(scan: Path, out_dir: Path, class_ids: dict[str, int] = CLASS_IDS) -> list[np.ndarray]:
    """The arrays of a scan."""
    out_dir.mkdir(exist_ok=True)
    export_scan(scan, out_dir, class_ids)
    return [np.load(out_dir / f'{scan.name}_{name}.npy') for name in ARRAYS]


def test_class_ids(tmp_path: Path) -> None:
    """Of the table only the names of the annotators and NYU40's ids count."""
    write_class_file(tmp_path / 'labels.tsv')
    assert read_class_ids(tmp_path / 'labels.tsv') == CLASS_IDS


def test_export(tmp_path: Path) -> None:
    """Vertices, labels, objects, and the boxes of the classes that have some, as the scan was made."""
    scan = tmp_path / 'scans/scene0000_00'
    true = write_scan(scan, NAMES)
    vertices, classes, objects, unaligned, aligned, alignment = exported(scan, tmp_path / 'out')
    assert vertices.dtype == np.float32
    np.testing.assert_array_equal(vertices, true.vertices)
    np.testing.assert_array_equal(classes, true.classes)
    np.testing.assert_array_equal(objects, true.objects)
    np.testing.assert_allclose(alignment, true.alignment, atol=1e-7)
    assert len(true.boxes) == 3 and true.boxes[:, 6].tolist() == [5, 5, 7]
    np.testing.assert_allclose(aligned, true.boxes, atol=1e-5)
    assert unaligned.shape == aligned.shape
    chair = vertices[objects == 2, :3]
    np.testing.assert_allclose(unaligned[0, 3:6], np.ptp(chair, axis=0), atol=1e-5)
    assert np.abs(unaligned[0, :6] - aligned[0, :6]).max() > 0.1


def test_without_alignment_and_without_boxes(tmp_path: Path) -> None:
    """A scan whose text has no alignment stays as it is; one without chairs and tables has no boxes."""
    scan = tmp_path / 'scene0001_00'
    write_scan(scan, ['wall'])
    (scan / f'{scan.name}.txt').write_text('sceneType = Hallway\n')
    *_, unaligned, aligned, alignment = exported(scan, tmp_path / 'out')
    assert unaligned.shape == aligned.shape == (0, 7)
    np.testing.assert_array_equal(alignment, np.eye(4))


@pytest.mark.parametrize(
    ('suffix', 'message'),
    [
        ('_vh_clean_2.ply', 'cannot be read'),
        ('_vh_clean_2.0.010000.segs.json', 'cannot be read'),
        ('.aggregation.json', 'cannot be read'),
    ],
)
def test_cut_off_file(tmp_path: Path, suffix: str, message: str) -> None:
    """A download that broke off is named."""
    scan = tmp_path / 'scene0000_00'
    write_scan(scan, NAMES, per_object=20)
    path = scan / f'{scan.name}{suffix}'
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DatasetError, match=message) as caught:
        exported(scan, tmp_path / 'out')
    assert str(path) in str(caught.value)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    """Segments of another mesh, and a label that the table does not have."""
    scan = tmp_path / 'scene0000_00'
    write_scan(scan, NAMES, per_object=20)
    with pytest.raises(DatasetError, match=r"label 'coffee table', which scannetv2"):
        exported(scan, tmp_path / 'out', {name: 1 for name in NAMES[:-1]})
    path = scan / f'{scan.name}_vh_clean_2.0.010000.segs.json'
    path.write_text(json.dumps(dict(segIndices=[1, 2, 3])))
    with pytest.raises(DatasetError, match='has 3 vertices and the mesh 120'):
        exported(scan, tmp_path / 'out')
