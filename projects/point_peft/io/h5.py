"""Arrays of h5 files, of which nothing lies outside the file or is larger than the file can hold."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from .errors import DatasetError
from .naming import UnreadableError, check_is_file, naming
from .reading import check_unpacked

LARGE_CHUNK = 1 << 20
"""Packed chunks up to this size cannot become larger than a GiB: deflate packs to a 1032nd at best."""

CHECKSUM = 4
"""Bytes that one of HDF5's filters adds to a chunk."""


@contextmanager
def open_h5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading; every error names it.

    Raises:
        DatasetNotFoundError: no such file.
        DatasetError: it is truncated or not h5, or what is read of it cannot be used.
    """
    with naming(path, 'h5'):
        check_is_file(path)
        try:
            with h5py.File(path, 'r') as file:
                yield file
        except OSError as error:
            raise DatasetError(
                f"'{path}' cannot be read as h5 ({error}); it is truncated or not an h5 file: download it again."
            ) from error


def read_array(file: h5py.File, key: str, expected: str) -> np.ndarray:
    """Read an array of numbers.

    Links, external storage and virtual arrays are refused, since they make whoever reads the file read others.

    Args:
        file (h5py.File): an open file.
        key (str): name of the array, at the top of the file.
        expected (str): the names that there should be, for the message.

    Raises:
        UnreadableError: there is none, it lies elsewhere, it holds no numbers, or it declares an absurd size.
    """
    link = file.get(key, getlink=True)
    if link is None:
        raise UnreadableError(f"has no key '{key}' (it has {sorted(file)}); expected {expected}.")
    if not isinstance(link, h5py.HardLink):
        raise UnreadableError(
            f"has '{key}' as a link to elsewhere, which is not followed; copy the array into the file."
        )
    array = file[key]
    if not isinstance(array, h5py.Dataset):
        raise UnreadableError(f"has a group named '{key}'; expected an array.")
    if array.is_virtual or array.external:
        raise UnreadableError(
            f"has the array '{key}' stored in other files, which are not read; copy it into the file."
        )
    if array.dtype.kind not in 'iuf' or array.shape is None:
        raise UnreadableError(f"has '{key}' of type {array.dtype}; expected numbers.")
    stored = array.id.get_storage_size()
    check_unpacked(math.prod(array.shape) * array.dtype.itemsize, stored, f"'{key}'")
    if array.chunks:  # one is unpacked as a whole
        check_unpacked(math.prod(array.chunks) * array.dtype.itemsize, stored, f"a chunk of '{key}'")
        _check_packed_chunks(array)
    _check_written(array, key, stored)
    return array[()]


def _check_written(array: h5py.Dataset, key: str, stored: int) -> None:
    """Refuse an array of which a part was never written, for HDF5 gives zeros in its place, or whatever else fills it.

    Args:
        array (h5py.Dataset): the array.
        key (str): its name.
        stored (int): bytes that it takes in the file.

    Raises:
        UnreadableError: nothing of it is stored, or fewer chunks than it has.
    """
    if 0 in array.shape:
        return
    wanted, found = 1, int(stored > 0)
    if array.chunks:
        wanted = math.prod(-(-size // chunk) for size, chunk in zip(array.shape, array.chunks))
        found = array.id.get_num_chunks() if stored else 0
    if found < wanted:
        raise UnreadableError(
            f"has {found} of the {wanted} pieces of '{key}', the others were never written; write it again."
        )


def _check_packed_chunks(array: h5py.Dataset) -> None:
    """Refuse packed chunks that are larger than they declare, for HDF5 unpacks them whatever becomes of them.

    Raises:
        UnreadableError: such a chunk, or chunks that are packed twice.
    """
    properties = array.id.get_create_plist()
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    if filters.count(h5py.h5z.FILTER_DEFLATE) > 1:
        raise UnreadableError('has an array that is packed twice; write it again.')
    if h5py.h5z.FILTER_DEFLATE not in filters:
        return
    declared = math.prod(array.chunks) * array.dtype.itemsize + CHECKSUM
    for index in range(array.id.get_num_chunks()):
        chunk = array.id.get_chunk_info(index)
        if chunk.size > LARGE_CHUNK:
            content = array.id.read_direct_chunk(chunk.chunk_offset)[1]
            unpacked = zlib.decompressobj().decompress(content, declared + 1)
            if len(unpacked) > declared:
                raise UnreadableError(
                    f'has a chunk of more than the {declared} bytes that it declares; write it again.'
                )
