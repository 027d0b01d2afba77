"""Clouds in arrays, text and scans, as programs and people write them: right, or refused by name."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from sample_files import (
    CLOUDS,
    POINTS,
    las,
    npy,
    pcd_ascii,
    pcd_binary,
    pcd_compressed,
    pcd_header,
    ply,
    text,
    write,
)

from point_peft.datasets.readers import read_cloud
from point_peft.datasets.readers.lzf import decompress
from point_peft.io.errors import DatasetError
from point_peft.io.naming import UnreadableError

UTM = np.array([412345.25, 5654321.5, 312])
"""Where a cloud lies on a map, in metres."""


@pytest.mark.parametrize('kind', CLOUDS)
def test_every_format(tmp_path: Path, kind: str) -> None:
    """The coordinates, to the last bit where the format has them."""
    points = read_cloud(write(tmp_path, kind))
    assert points.dtype == np.float64
    np.testing.assert_allclose(points, POINTS, rtol=0, atol=1e-15 if 'la' in kind else 0)


@pytest.mark.parametrize('content', [('npy', npy(POINTS + UTM)), ('txt', text(POINTS + UTM))])
def test_map_coordinates(tmp_path: Path, content: tuple[str, bytes]) -> None:
    """A map offset costs no digits."""
    np.testing.assert_array_equal(read_cloud(write(tmp_path, *content)), POINTS + UTM)


ROWS = [' '.join(map(repr, row)) for row in POINTS.tolist()]
TEXTS = {
    'semicolons': text(separator=';'),
    'tabulators': text(separator='\t'),
    'commas and spaces': text(separator=', '),
    'number of rows': f'{len(POINTS)}\n'.encode() + text(),
    'mark of UTF-8': b'\xef\xbb\xbf' + text(),
    'UTF-16': text().decode().encode('utf-16'),
    'UTF-16, big-endian': b'\xfe\xff' + text().decode().encode('utf-16-be'),
    'a comment in Latin-1': b'# gepr\xfcft\n' + text(),
    'names of the columns': b'# x y z\n' + text(),
    'exponents of Fortran': '\n'.join(row.replace(' ', 'D+00 ') + 'd+00' for row in ROWS).encode(),
    'words in other columns': '\n'.join(f'{row} chair' for row in ROWS).encode(),
    'line ends of old Macs': text().replace(b'\n', b'\r'),
    'comments after the numbers': text().replace(b'\n', b' # point\n'),
}


@pytest.mark.parametrize('case', TEXTS)
@pytest.mark.parametrize('kind', ['txt', 'xyz', 'pts'])
def test_text(tmp_path: Path, kind: str, case: str) -> None:
    """Delimiters, encodings, a number of rows, exponents and words."""
    np.testing.assert_array_equal(read_cloud(write(tmp_path, kind, TEXTS[case])), POINTS)


RECORDS = np.array(
    [(7, *row) for row in POINTS.tolist()], dtype=[('t', 'u1'), ('y', 'f8'), ('x', '>f8'), ('z', 'f4')]
)


@pytest.mark.parametrize(
    'array',
    [
        np.asfortranarray(POINTS),
        POINTS.astype('>f8'),
        np.hstack([POINTS, POINTS]),
        POINTS.astype('f2'),
        (POINTS * 100).astype('i2'),
        POINTS[:2],
    ],
    ids=['Fortran', 'big-endian', 'with normals', 'half', 'integers', 'two points'],
)
def test_arrays(tmp_path: Path, array: np.ndarray) -> None:
    """Every order and type of numbers becomes float64 with its value."""
    points = read_cloud(write(tmp_path, 'npy', npy(array)))
    assert points.dtype == np.float64
    np.testing.assert_array_equal(points, array[:, :3])


def test_records(tmp_path: Path) -> None:
    """The fields x, y and z of a structured array, whatever their order and type."""
    points = read_cloud(write(tmp_path, 'npy', npy(RECORDS)))
    np.testing.assert_array_equal(points, np.stack([RECORDS[name] for name in 'xyz'], axis=1))


def test_capitals(tmp_path: Path) -> None:
    """Fields that are called X, Y and Z; where there are both, the small ones."""
    capitals = RECORDS.astype([(name.upper(), kind) for name, kind in RECORDS.dtype.descr])
    expected = np.stack([RECORDS[name] for name in 'xyz'], axis=1)
    np.testing.assert_array_equal(read_cloud(write(tmp_path, 'npy', npy(capitals))), expected)
    both = np.zeros(20, dtype=[*capitals.dtype.descr, *RECORDS.dtype.descr])
    for name in 'xyz':
        both[name], both[name.upper()] = RECORDS[name], 7
    np.testing.assert_array_equal(read_cloud(write(tmp_path, 'npy', npy(both))), expected)
    for kind in ('ascii.pcd', 'binary.pcd', 'compressed.pcd'):
        content = changed({'FIELDS x y z': b'FIELDS X Y Z'}, CLOUDS[kind]())
        np.testing.assert_array_equal(read_cloud(write(tmp_path, kind, content)), POINTS)
    for kind in ('ascii.ply', 'binary.ply'):
        content = changed(
            {f'property double {name}': f'property double {name.upper()}'.encode() for name in 'xyz'},
            CLOUDS[kind](),
        )
        assert b'double X' in content
        np.testing.assert_array_equal(read_cloud(write(tmp_path, kind, content)), POINTS)


def test_missing_returns(tmp_path: Path, log) -> None:
    """A depth camera's grid has NaN where nothing came back: these points are left out, and counted."""
    grid = POINTS.copy()
    grid[[3, 7]] = np.nan
    header = pcd_header('ascii').replace(b'WIDTH 20\nHEIGHT 1', b'WIDTH 5\nHEIGHT 4')
    body = text(np.hstack([grid, np.zeros((20, 1))]))
    points = read_cloud(write(tmp_path, 'ascii.pcd', header + body))
    np.testing.assert_array_equal(points, np.delete(POINTS, [3, 7], axis=0))
    assert ['has 2 points without a return (NaN) of 20' in message for message in log.at('WARNING')] == [True]


@pytest.mark.parametrize(
    'change',
    [
        {'POINTS 20\n': b''},
        {'COUNT 1 1 1 1\n': b''},
        {'DATA ascii': b'DATA ASCII'},
        {'# .PCD': b'\xef\xbb\xbf# .PCD'},
    ],
)
def test_headers_of_pcd(tmp_path: Path, change: dict[str, bytes]) -> None:
    """Older files give the number of points as a grid and no counts of the fields."""
    np.testing.assert_array_equal(
        read_cloud(write(tmp_path, 'ascii.pcd', changed(change, pcd_ascii()))), POINTS
    )


def test_lzf_repetitions() -> None:
    """Literals, a repetition, and one that overlaps itself."""
    assert decompress(bytes.fromhex('02616263 20 02'), 6) == b'abcabc'
    assert decompress(bytes.fromhex('01 61 61 e0 17 00'), 34) == b'a' * 34
    for packed, size in (('026162632002', 7), ('026162632003', 6), ('0261626320', 6), ('0561', 6)):
        with pytest.raises(UnreadableError):
            decompress(bytes.fromhex(packed), size)


@pytest.mark.parametrize('point_format', [3, 6])
@pytest.mark.parametrize(('points', 'promised'), [(20, 19), (20, 1), (50_001, 50_000), (50_020, 50_019)])
def test_laz_that_holds_more(tmp_path: Path, point_format: int, points: int, promised: int) -> None:
    """Points beyond those of the header are not left out in silence, nor is a file refused that is right."""
    cloud = np.random.default_rng(1).normal(size=(points, 3)).round(3)
    content = bytearray(las('.laz', cloud, point_format))
    np.testing.assert_allclose(read_cloud(write(tmp_path, 'laz', bytes(content))), cloud, atol=1e-12)
    place, kind = (107, '<I') if point_format == 3 else (247, '<Q')
    assert struct.unpack_from(kind, content, place) == (points,)
    struct.pack_into(kind, content, place, promised)
    content[107:111] = struct.pack('<I', promised) if point_format == 3 else bytes(4)
    with pytest.raises(
        DatasetError, match=f'more points than the {promised} that|header promises {promised} points'
    ):
        read_cloud(write(tmp_path, 'laz', bytes(content)))


def changed(change: dict[str, bytes], content: bytes) -> bytes:
    """Content with some texts in place of others."""
    for old, new in change.items():
        content = content.replace(old.encode(), new, 1)
    return content


MORE = {'WIDTH 20': b'WIDTH 30', 'POINTS 20': b'POINTS 30'}
FEWER = {'WIDTH 20': b'WIDTH 10', 'POINTS 20': b'POINTS 10'}
ABSURD = {'WIDTH 20': b'WIDTH 1000000000000', 'POINTS 20': b'POINTS 1000000000000'}
NAN = np.where(np.arange(20)[:, None] == 4, np.nan, POINTS)
HUGE_NPY = npy().replace(b'(20, 3), }' + b' ' * 16, b'(1000000000000000, 3), }  ')
WRONG = {
    'npy: channel first': ('npy', npy(POINTS.T), r'shape \(3, 20\), which looks like a row per coordinate'),
    'npy: channel first with normals': ('npy', npy(np.vstack([POINTS.T] * 2)), r'shape \(6, 20\)'),
    'npy: rotation': ('npy', npy(np.eye(3)), r'shape \(3, 3\), which looks like a row per coordinate, or a matrix'),
    'npy: pose': ('npy', npy(np.eye(4)), r'shape \(4, 4\)'),
    'npy: stack': ('npy', npy(POINTS[None]), r'shape \(1, 20, 3\)'),
    'npy: booleans': ('npy', npy(POINTS > 0), 'type bool'),
    'npy: complex': ('npy', npy(POINTS + 1j), 'type complex128'),
    'npy: times': ('npy', npy(POINTS.astype('m8[s]')), 'type timedelta64'),
    'npy: half that overflowed': ('npy', npy(np.full((9, 3), np.inf, 'f2')), 'NaN or infinite'),
    'npy: NaN': ('npy', npy(NAN), 'NaN or infinite coordinate: point 4'),
    'npy: one point': ('npy', npy(np.full((9, 3), 2.5)), r'has no extent: all of its 9 points are \[2.5, 2.5, 2.5\]'),
    'npy: norm that overflows': ('npy', npy(POINTS * 1e19), 'a coordinate whose square overflows: point 4'),
    'npy: longer': ('npy', npy() + bytes(8), 'is not a plain npy array .* 480 bytes, and 488 follow'),
    'npy: shorter': ('npy', npy()[:-8], 'is not a plain npy array .* 480 bytes, and 472 follow'),
    'npy: absurd': ('npy', HUGE_NPY, r'shape \(1000000000000000, 3\)'),
    'npy: fields': ('npy', npy(np.zeros(9, dtype=[('x', 'f4'), ('y', 'f4')])), r"the fields \('x', 'y'\)"),
    'txt: channel first': ('txt', text(POINTS.T), r'shape \(3, 20\), which looks like a row per coordinate'),
    'txt: pose': ('txt', text(np.eye(4)), r'shape \(4, 4\)'),
    'txt: pose of three rows': ('txt', text(np.eye(4)[:3]), r'shape \(3, 4\)'),
    'txt: row cut off': ('txt', text() + b'1.5 2', 'between 2 and 3 columns'),
    'txt: longer row': ('txt', text() + b'1 2 3 4', 'between 3 and 4 columns'),
    'txt: more rows promised': ('txt', b'21\n' + text(), 'promises 21 rows and 20 follow'),
    'txt: fewer rows promised': ('txt', b'19\n' + text(), 'promises 19 rows and 20 follow'),
    'txt: decimal commas': ('txt', text().replace(b'.', b','), 'not a table of numbers'),
    'txt: decimal commas, semicolons': ('txt', text(separator=';').replace(b'.', b','), 'not a table of numbers'),
    'txt: other columns': ('txt', b'# t x y z\n' + text(POINTS[:, [0, 0, 1, 2]]), 'x, y, z must be the first'),
    'txt: NaN': ('txt', text(NAN), 'NaN or infinite coordinate: point 4'),
    'txt: overflow': ('txt', text() + b'-1e19 0 0\n', r'square overflows: point 20 is \[-1e\+19, 0.0, 0.0\]'),
    'txt: bytes': ('txt', text() + b'\0', 'no text'),
    'ply: NaN': ('binary.ply', ply(False, None).replace(POINTS[4].tobytes(), NAN[4].tobytes()), 'coordinate: point 4'),
    'ply: more': ('ascii.ply', ply(True, None).replace(b'vertex 20', b'vertex 25'), 'declares 25 rows'),
    'ply: fewer': ('ascii.ply', ply(True, None).replace(b'vertex 20', b'vertex 5'), 'has 20 lines after its header'),
    'ply: binary, more': ('binary.ply', ply(False, None).replace(b'vertex 20', b'vertex 25'), 'is truncated'),
    'ply: binary, fewer': ('binary.ply', ply(False, None).replace(b'vertex 20', b'vertex 5'), 'goes on for 360 bytes'),
    'ply: absurd': ('binary.ply', ply(True, None).replace(b'vertex 20', b'vertex 9876543210'), 'declares 9876543210'),
    'pcd: more': ('ascii.pcd', changed(MORE, pcd_ascii()), '20 of 30 points'),
    'pcd: fewer': ('ascii.pcd', changed(FEWER, pcd_ascii()), '20 of 10 points'),
    'pcd: binary, more': ('binary.pcd', changed(MORE, pcd_binary()), '560 of 840 bytes'),
    'pcd: binary, fewer': ('binary.pcd', changed(FEWER, pcd_binary()), '560 bytes where its header promises 280'),
    'pcd: absurd': ('binary.pcd', changed(ABSURD, pcd_binary()), 'declares 1000000000000 points'),
    'pcd: compressed, more': ('compressed.pcd', changed(MORE, pcd_compressed()), '560 of 840 bytes'),
    'pcd: compressed, cut': ('compressed.pcd', pcd_compressed()[:-4], 'is not a complete PCD file'),
    'pcd: two sizes': ('ascii.pcd', changed({'WIDTH 20': b'WIDTH 9'}, pcd_ascii()), '9 points by WIDTH and HEIGHT'),
    'pcd: two x': ('ascii.pcd', changed({'COUNT 1': b'COUNT 2'}, pcd_ascii()), "a field 'x' of COUNT 2; expected"),
    'pcd: binary, two x': ('binary.pcd', changed({'COUNT 1': b'COUNT 2'}, pcd_binary()), "a field 'x' of COUNT 2"),
    'pcd: infinite': ('ascii.pcd', pcd_ascii().replace(b'0.126', b'inf'), 'NaN or infinite coordinate: point 0'),
    'pcd: half a NaN': ('ascii.pcd', pcd_ascii().replace(b'0.126', b'nan'), 'NaN or infinite coordinate: point 0'),
    'las: cut': ('las', las('.las')[:-40], 'has 18 points where its header promises 20'),
    'las: fewer': ('las', las('.las').replace(struct.pack('<I', 20), struct.pack('<I', 19), 1), '20 points where its'),
    'las: longer': ('las', las('.las') + bytes(40), 'has 21 points where its header promises 20'),
    'laz: cut': ('laz', las('.laz')[:-40], ''),
    'las: no header': ('las', b'x', 'has no LAS header'),
}  # fmt: skip


@pytest.mark.parametrize('case', WRONG)
def test_refused_by_name(tmp_path: Path, case: str) -> None:
    """Layouts that are none of ours, numbers that do not fit the header, and coordinates that are none."""
    kind, content, message = WRONG[case]
    path = write(tmp_path, kind, content)
    with pytest.raises(
        DatasetError, match=f"{path.name}' .*{message}" if 'file.laz' not in message else message
    ):
        read_cloud(path)


def test_las_without_laspy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence with the command that installs it."""
    path = write(tmp_path, 'las')
    monkeypatch.setitem(sys.modules, 'laspy', None)
    with pytest.raises(
        DatasetError, match=r"file.las' needs laspy to be read; install it: pip install 'laspy\[lazrs\]'"
    ):
        read_cloud(path)
