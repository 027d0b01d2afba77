"""What programs write above the rows of a cloud in text: passed over, or refused if it names other columns."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from sample_files import POINTS, ply, text, write

from point_peft.datasets.readers import read_cloud
from point_peft.io.errors import DatasetError

WIDE = np.concatenate([POINTS, POINTS], axis=1)
HEADINGS = {
    'CloudCompare': b'//X Y Z R G B\n' + text(WIDE),
    'CloudCompare, with a number of rows': f'//X Y Z\n{len(POINTS)}\n'.encode() + text(),
    'names': b'x y z\n' + text(),
    'names in quotes': b'"X","Y","Z"\n' + text(separator=','),
    'names with units': b'X (m);Y (m);Z [m]\n' + text(separator=';'),
    'names of more columns': b'x,y,z,nx,ny,nz\r\n' + text(WIDE, separator=','),
    'MATLAB': b'% made by hand\n\n' + text(),
    'prose about axes': b'# turned about x, y and z\n' + text(),
}


@pytest.mark.parametrize('content', HEADINGS.values(), ids=HEADINGS)
def test_headings(tmp_path: Path, content: bytes) -> None:
    """No point is lost, and none is made of names."""
    np.testing.assert_array_equal(read_cloud(write(tmp_path, 'txt', content)), POINTS)


OTHER = {
    'normals first': (b'nx ny nz x y z\n' + text(WIDE), 'x, y, z must be the first ones'),
    'normals first, in a comment': (b'//Nx Ny Nz X Y Z\n' + text(WIDE), 'x, y, z must be the first ones'),
    'an index without a name': (b',x,y,z\n' + text(WIDE[:, :4], separator=','), 'x, y, z must be the first'),
    'names of rows': (b'x y z\n' + text(WIDE[:, :4]), 'it names 3 columns'),
    'names alone': (b'x,y,z\n', 'it has no rows'),
    'a number alone': (b'7\n', 'it has no rows'),
}


@pytest.mark.parametrize(('content', 'message'), OTHER.values(), ids=OTHER)
def test_headings_of_other_tables(tmp_path: Path, content: bytes, message: str) -> None:
    """Columns that are not x, y, z would be read as coordinates; parsers' own warnings are not shown."""
    path = write(tmp_path, 'txt', content)
    with warnings.catch_warnings(), pytest.raises(DatasetError, match=message) as caught:
        warnings.simplefilter('error')
        read_cloud(path)
    assert str(path) in str(caught.value)


def test_blanks_in_a_header_of_ply(tmp_path: Path) -> None:
    """Blanks at the ends of lines."""
    header, _, body = ply(True, None).partition(b'end_header')
    content = header.replace(b'\n', b' \t\n') + b'end_header \n' + body.lstrip()
    np.testing.assert_array_equal(read_cloud(write(tmp_path, 'ascii.ply', content)), POINTS)


def test_large_file_without_a_header_of_ply(tmp_path: Path) -> None:
    """It is told by its beginning, not searched to the end."""
    path = write(tmp_path, 'ascii.ply', b'ply\n' + b'\r' * (5 << 20) + b'\nend_header\n')
    with pytest.raises(DatasetError, match='no PLY header'):
        read_cloud(path)
