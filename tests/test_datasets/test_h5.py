"""Reading of h5 files."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from point_peft.datasets.h5 import concatenate, read_h5
from point_peft.io import h5 as h5_arrays
from point_peft.io.errors import DatasetError


def test_types(tmp_path: Path, write_h5) -> None:
    """float16 points with normals and (M, 1) bytes become float32 coordinates and int64 labels."""
    data = np.arange(2 * 4 * 6, dtype=np.float16).reshape(2, 4, 6)
    clouds = read_h5(write_h5(tmp_path / 'a.h5', data, np.array([[3], [255]], dtype=np.uint8)))
    assert clouds.points.dtype == np.float32 and clouds.labels.dtype == np.int64
    assert clouds.points[1, 0].tolist() == [24, 25, 26]
    assert clouds.labels.tolist() == [3, 255]
    assert clouds.sources[1] == f'{tmp_path / "a.h5"}[1]'


@pytest.mark.parametrize('keep', [0, 100, 0.5])
def test_truncated(tmp_path: Path, write_h5, clouds, keep: float) -> None:
    """A file cut anywhere is named."""
    path = write_h5(tmp_path / 'cut.h5', clouds(20, 50), np.zeros(20))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(DatasetError, match=r"cut.h5' cannot be read as h5 .* download it again"):
        read_h5(path)


def test_wrong_key(tmp_path: Path, write_h5, clouds) -> None:
    """The keys that are there are listed."""
    path = write_h5(tmp_path / 'key.h5', clouds(2, 5), np.zeros(2), data_key='points')
    with pytest.raises(DatasetError, match=r"key.h5' has no key 'data' \(it has \['label', 'points'\]\)"):
        read_h5(path)


@pytest.mark.parametrize(
    ('shape', 'labels', 'message'),
    [
        ((4, 5), 4, r'data of shape \(4, 5\)'),
        ((4, 5, 2), 4, r'data of shape \(4, 5, 2\)'),
        ((4, 5, 3), 3, '3 labels for 4 objects'),
    ],
)
def test_wrong_shape(tmp_path: Path, write_h5, shape: tuple[int, ...], labels: int, message: str) -> None:
    """The shape found is said."""
    path = write_h5(tmp_path / 'shape.h5', np.zeros(shape, dtype=np.float32), np.zeros(labels))
    with pytest.raises(DatasetError, match=message):
        read_h5(path)


def test_a_group_is_no_array(tmp_path: Path) -> None:
    """A group where an array should be is named, not a traceback of h5py."""
    with h5py.File(tmp_path / 'group.h5', 'w') as file:
        file.create_group('data')
        file['label'] = np.zeros(2)
    with pytest.raises(DatasetError, match="group.h5' has a group named 'data'"):
        read_h5(tmp_path / 'group.h5')


def test_resolutions_do_not_mix(tmp_path: Path, write_h5, clouds) -> None:
    """Files of one resolution are joined in order; others are refused."""
    first = read_h5(write_h5(tmp_path / 'a.h5', clouds(2, 5), np.zeros(2)))
    second = read_h5(write_h5(tmp_path / 'b.h5', clouds(3, 5), np.ones(3)))
    third = read_h5(write_h5(tmp_path / 'c.h5', clouds(3, 6), np.ones(3)))
    joined = concatenate([first, second])
    assert joined.labels.tolist() == [0, 0, 1, 1, 1] and joined.sources == first.sources + second.sources
    np.testing.assert_array_equal(joined.points[2:], second.points)
    with pytest.raises(DatasetError, match=r'different numbers of points \[5, 6\]'):
        concatenate([first, third])


@pytest.mark.parametrize('shape', [(4, 3, 50), (4, 3, 3), (2, 6, 1024)])
def test_channel_first(tmp_path: Path, write_h5, clouds, shape: tuple[int, ...]) -> None:
    """Arrays with a row per coordinate are not taken for three points."""
    data = np.random.default_rng(0).normal(size=shape)
    with pytest.raises(
        DatasetError, match=r"t.h5' holds an array of shape .* looks like a row per coordinate"
    ):
        read_h5(write_h5(tmp_path / 't.h5', data, np.zeros(len(data))))


def test_double_precision_stays(tmp_path: Path, write_h5, clouds) -> None:
    """Map coordinates and integers keep their digits."""
    data = clouds(2, 5).astype(np.float64) + 5654321.5
    np.testing.assert_array_equal(read_h5(write_h5(tmp_path / 'a.h5', data, np.zeros(2))).points, data)
    points = read_h5(write_h5(tmp_path / 'b.h5', data.astype(np.int64), np.zeros(2))).points
    assert points.dtype == np.float64 and (points == data.astype(np.int64)).all()


def test_fractional_labels(tmp_path: Path, write_h5, clouds) -> None:
    """Labels are not cut to whole numbers."""
    with pytest.raises(DatasetError, match=r'a.h5\[1\] has label 1.5, which is no whole number'):
        read_h5(write_h5(tmp_path / 'a.h5', clouds(2, 5), np.array([0, 1.5])))


@pytest.mark.parametrize('label', [1e30, -1e300, np.float64(2**63), np.uint64(2**64 - 1)])
def test_labels_that_no_integer_holds(tmp_path: Path, write_h5, clouds, label: float) -> None:
    """They are refused with their own value, not with what they would become."""
    labels = np.array([0, label], dtype=np.asarray(label).dtype)
    with pytest.raises(
        DatasetError, match=re.escape(f'a.h5[1] has label {label:g}, which is no class; expected')
    ):
        read_h5(write_h5(tmp_path / 'a.h5', clouds(2, 5), labels))


def _external_link(file: h5py.File, other: Path) -> None:
    file['data'] = h5py.ExternalLink(str(other), 'data')


def _soft_link(file: h5py.File, other: Path) -> None:
    file['group'] = h5py.ExternalLink(str(other), '/')
    file['data'] = h5py.SoftLink('/group/data')


def _external_storage(file: h5py.File, other: Path) -> None:
    file.create_dataset('data', shape=(2, 5, 3), dtype='f4', external=[(str(other), 0, h5py.h5f.UNLIMITED)])


def _virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout(shape=(2, 5, 3), dtype='f4')
    layout[:] = h5py.VirtualSource(str(other), 'data', shape=(2, 5, 3))
    file.create_virtual_dataset('data', layout)


@pytest.mark.parametrize('make', [_external_link, _soft_link, _external_storage, _virtual])
def test_nothing_outside_the_file_is_read(tmp_path: Path, write_h5, clouds, make) -> None:
    """Links and arrays that are stored in another file, which is there and readable."""
    other = write_h5(tmp_path / 'secret.h5', clouds(2, 5), np.zeros(2))
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        make(file, other)
        file['label'] = np.zeros(2)
    with pytest.raises(
        DatasetError, match="a.h5' has .*data' (as a link to elsewhere|stored in other files)"
    ):
        read_h5(tmp_path / 'a.h5')


@pytest.mark.parametrize(
    ('shape', 'options'),
    [
        ((10**6, 10**5, 3), {}),
        ((10**6, 10**5, 3), dict(chunks=(1, 1000, 3))),
        ((50, 10**6, 3), dict(chunks=(1, 10**6, 3), compression='gzip')),
        ((2, 5, 3), dict(chunks=(100, 10**5, 3), maxshape=(None, None, 3), compression='gzip')),
    ],
)
def test_absurd_sizes(tmp_path: Path, shape: tuple[int, ...], options: dict) -> None:
    """Arrays that declare far more than is stored are not unpacked."""
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        data = file.create_dataset('data', shape=shape, dtype='f4', **options)
        if options:
            data[:1, :5] = 1
        file['label'] = np.zeros(2)
    with pytest.raises(DatasetError, match="a.h5' declares [0-9]+ bytes of .*'data' and stores [0-9]+"):
        read_h5(tmp_path / 'a.h5')


@pytest.mark.parametrize(
    'data', [np.array([b'a', b'b']), np.ones((2, 5, 3), bool), np.ones((2, 5, 3), complex)]
)
def test_no_numbers(tmp_path: Path, write_h5, data: np.ndarray) -> None:
    """Texts, booleans and complex numbers."""
    with pytest.raises(DatasetError, match="a.h5' has 'data' of type .*; expected numbers"):
        read_h5(write_h5(tmp_path / 'a.h5', data, np.zeros(2)))


def test_chunk_that_unpacks_to_more_than_it_declares(
    tmp_path: Path, clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDF5 itself would unpack all of it; an honest chunk of the same size is read."""
    monkeypatch.setattr(h5_arrays, 'LARGE_CHUNK', 100)
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file.create_dataset('data', data=clouds(2, 50), chunks=(1, 50, 3), compression='gzip')
        file['label'] = np.zeros(2)
    assert read_h5(tmp_path / 'a.h5').points.shape == (2, 50, 3)
    with h5py.File(tmp_path / 'a.h5', 'r+') as file:
        file['data'].id.write_direct_chunk((1, 0, 0), zlib.compress(bytes(10**6)))
    with pytest.raises(DatasetError, match="a.h5' has a chunk of more than the 604 bytes"):
        read_h5(tmp_path / 'a.h5')


@pytest.mark.parametrize('key', ['data', 'label'])
@pytest.mark.parametrize('chunks', [None, (1,)])
def test_arrays_that_were_not_written_to_the_end(tmp_path: Path, key: str, chunks: tuple | None) -> None:
    """As a writer that was stopped leaves them; HDF5 reads zeros, which are a class and points."""
    path = tmp_path / 'part.h5'
    shapes = dict(data=(4, 20, 3), label=(4,))
    with h5py.File(path, 'w') as file:
        for name, shape in shapes.items():
            layout = None if chunks is None else chunks + shape[1:]
            array = file.create_dataset(name, shape, 'f4', chunks=layout)
            if name != key:
                array[:] = 1
            elif chunks:
                array[:3] = 1
    found = '3 of the 4' if chunks else '0 of the 1'
    with pytest.raises(DatasetError, match=f"part.h5' has {found} pieces of '{key}'"):
        read_h5(path)
