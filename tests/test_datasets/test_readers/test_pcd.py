"""PCD files, written byte by byte as the Point Cloud Library does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from point_peft.datasets.readers import read_cloud
from point_peft.io.errors import DatasetError

RECORD = np.dtype(
    [('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('rgb', '<u4'), ('normal', '<f4', (3,)), ('ring', '<u2')]
)
"""One point with the fields of a usual file, among them one with COUNT 3."""


def header(data: str, points: int, fields: str = 'x y z rgb normal ring') -> bytes:
    """Header of ``points`` records."""
    return (
        f'# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS {fields}\nSIZE 4 4 4 4 4 2\n'
        f'TYPE F F F U F U\nCOUNT 1 1 1 1 3 1\nWIDTH {points}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\n'
        f'POINTS {points}\nDATA {data}\n'
    ).encode()


@pytest.fixture
def records() -> np.ndarray:
    """Five points; point i has x = i, y = 10 i, z = -i."""
    values = np.zeros(5, dtype=RECORD)
    values['x'], values['y'], values['z'] = np.arange(5), 10 * np.arange(5), -np.arange(5)
    values['rgb'], values['normal'], values['ring'] = 0x0A0A0A0A, 9.0, 7
    return values


EXPECTED = [[i, 10 * i, -i] for i in range(5)]


def test_binary(tmp_path: Path, records: np.ndarray) -> None:
    """Bytes that look like line ends do not matter."""
    path = tmp_path / 'a.pcd'
    path.write_bytes(header('binary', 5) + records.tobytes())
    assert read_cloud(path).tolist() == EXPECTED


def test_ascii(tmp_path: Path) -> None:
    """Fields in another order, with the one of COUNT 3 first."""
    path = tmp_path / 'a.pcd'
    rows = '\n'.join(f'9 9 9 {-i} {10 * i} {i}' for i in range(5))
    path.write_text(
        'VERSION 0.7\nFIELDS normal z y x\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 3 1 1 1\nWIDTH 5\nHEIGHT 1\n'
        f'POINTS 5\nDATA ascii\n{rows}\n'
    )
    assert read_cloud(path).tolist() == EXPECTED


def test_padding_fields(tmp_path: Path) -> None:
    """PCL writes unused bytes as fields of the same name '_'."""
    path = tmp_path / 'a.pcd'
    layout = np.dtype([('a', 'u1', (4,)), ('x', '<f4'), ('y', '<f4'), ('b', 'u1', (2,)), ('z', '<f4')])
    values = np.zeros(5, dtype=layout)
    values['x'], values['y'], values['z'] = np.arange(5), 10 * np.arange(5), -np.arange(5)
    path.write_bytes(
        b'VERSION 0.7\nFIELDS _ x y _ z\nSIZE 1 4 4 1 4\nTYPE U F F U F\nCOUNT 4 1 1 2 1\nWIDTH 5\nHEIGHT 1\n'
        b'POINTS 5\nDATA binary\n' + values.tobytes()
    )
    assert read_cloud(path).tolist() == EXPECTED


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (header('binary', 5) + b'\x00' * 40, 'is not a complete PCD file'),
        (header('ascii', 5) + b'1 2 3 4 5 6 7 8\n', 'is not a complete PCD file .1 of 5 points'),
        (
            header('binary_compressed', 5) + b'\x00' * 400,
            'is not a complete PCD file .392 bytes where its header promises 0',
        ),
        (header('binary', 5, fields='x y w rgb normal ring') + b'\x00' * 400, 'expected x, y and z'),
        (b'ply\nformat ascii 1.0\n', 'has no PCD header'),
        (b'DATA ascii\n1 2 3\n', "is not a complete PCD file .'FIELDS'"),
        (header('binary', 5).replace(b'TYPE F', b'TYPE Q'), "is not a complete PCD file .'Q'"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, message: str) -> None:
    """Truncated, badly compressed, without z, no header, no fields, unknown type: each is said with the file."""
    path = tmp_path / 'broken.pcd'
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=f"broken.pcd' {message}|broken.pcd' has the fields .*{message}"):
        read_cloud(path)
