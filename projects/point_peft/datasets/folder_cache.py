"""The prepared clouds of a folder in a file beside it, from which they are read ever after."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from ..io.atomic import open_atomically
from ..io.errors import MissingFileError, PointPEFTError
from ..io.locks import alone_in, lock
from ..io.naming import UnreadableError
from ..io.partial import remove_partial_files
from ..io.progress import track
from ..version import __version__
from .cache import fingerprint_files
from .cache_places import places_to_read, places_to_write
from .mapped import DTYPE, MappedClouds
from .once import collected_warnings, warn_once
from .preparation import Preparation
from .readers.npz import read_npz
from .reading import num_workers, read_prepared

LAYOUT = 1
"""Version of what is written and of how clouds are prepared; another one is not read."""


@dataclass
class Remarks:
    """What is said of a folder whenever it is opened.

    Attributes:
        small (int): number of clouds with fewer points than the dataset's.
        first_small (int): position of the first of them.
        warnings (list[str]): what was said of single files.
        root (str): where the folder was then, which the warnings may name.
    """

    small: int = 0
    first_small: int = 0
    warnings: list[str] = field(default_factory=list)
    root: str = ''

    def note(self, row: int, size: int, num_points: int | None) -> None:
        """Count cloud ``row`` if its file has fewer points than the dataset's clouds."""
        if num_points is not None and size < num_points:
            self.first_small = self.first_small if self.small else row
            self.small += 1


def kept_clouds(
    root: Path, files: Sequence[Path], preparation: Preparation, num_points: int
) -> tuple[MappedClouds, Remarks] | None:
    """Read and prepare files, or take their clouds from where they were kept when nothing has changed.

    They are kept as a plain npy file in ``root/.cache``, else in the user's cache directory, else until this process
    ends in a temporary one. The file is named by a hash of the preparation, of the versions of this package and NumPy,
    and of the files' names, sizes and times; it takes its name when it is complete, and those of other hashes are
    removed unless a process reads them. Of several processes one reads the folder, and the others wait for it.

    Args:
        root (Path): the directory.
        files (Sequence[Path]): M files in it.
        preparation (Preparation): how they are prepared.
        num_points (int): points of a prepared cloud.

    Returns:
        tuple | None: the M clouds, and what is to be said of them; None where there is no room for them.

    Raises:
        DatasetNotFoundError: a file is missing.
        DatasetError: a file cannot be read or used; names it.
    """
    shape = (len(files), num_points, 3)
    size = math.prod(shape) * DTYPE.itemsize
    cache = _Cache(root, files, preparation, shape)
    for place in places_to_read(root):
        if found := cache.open(place):
            return found
    for place in places_to_write(root, size):
        try:
            with alone_in(place, waiting=f"another process is reading '{root}'; waiting for it."):
                found = cache.open(place)
                if found is None:
                    cache.write(place)
                    found = cache.open(place)
        except MissingFileError:
            raise
        except OSError as error:
            print_log(f"'{place}' cannot keep the clouds of '{root}' ({error}).", logger='current', level=30)
        else:
            return found
    print_log(
        f"no disk has room for the prepared clouds of '{root}', {size >> 20} MB, so they are held in memory; free some "
        'room beside the files or in the directory for temporary files.',
        logger='current',
        level=30,
    )
    return None


class _Cache:
    """The files of a cache: ``NAME.npy`` with the clouds, and ``NAME.npz``, written after it, with all else."""

    def __init__(
        self, root: Path, files: Sequence[Path], preparation: Preparation, shape: tuple[int, int, int]
    ) -> None:
        self.root, self.files, self.preparation, self.shape = root, files, preparation, shape
        key = f'{LAYOUT}:{__version__}:{np.__version__}:{preparation}:{shape}'
        self.family = f'clouds_{_name(root, files)}_'
        self.name = self.family + fingerprint_files(root, [*files, *_companions(files)], key)

    def open(self, place: Path) -> tuple[MappedClouds, Remarks] | None:
        """The clouds that are kept there; None if there are none, or if they are damaged."""
        path = place / f'{self.name}.npy'
        if not path.exists() or not path.with_suffix('.npz').exists():
            return None
        try:
            known = read_npz(path.with_suffix('.npz'), ('checks', 'remarks'))
            clouds = MappedClouds(path, known['checks'])
            if clouds.shape != self.shape:
                raise UnreadableError(f'it holds clouds of shape {clouds.shape}')
            remarks = Remarks(**json.loads(known['remarks'].tobytes()))
            here = os.path.abspath(self.root)
            remarks.warnings = [text.replace(remarks.root, here) for text in remarks.warnings]
            return clouds, remarks
        except (OSError, ValueError, TypeError) as error:
            warn_once(f"'{path}' is no usable cache ({error}); reading '{self.root}' again.")
            return None

    def write(self, place: Path) -> None:
        """Read all files and keep their clouds."""
        remove_partial_files(place)
        path = place / f'{self.name}.npy'
        path.with_suffix('.npz').unlink(missing_ok=True)
        said: list[str] = []
        try:
            with collected_warnings() as said:
                checks, remarks = self._write_clouds(path)
        except PointPEFTError:
            for text in said:
                warn_once(text)
            raise
        remarks.warnings = list(dict.fromkeys(said))
        with open_atomically(path.with_suffix('.npz')) as file:
            known = dict(checks=checks, remarks=np.frombuffer(json.dumps(vars(remarks)).encode(), np.uint8))
            np.savez(file, **known)  # type: ignore[arg-type]  # numpy's stub takes them for its option
        self._remove_others(place)
        print_log(
            f"the {len(self.files)} prepared clouds of '{self.root}' are kept in '{path}' "
            f'({path.stat().st_size >> 20} MB), which may be deleted after use.',
            logger='current',
        )

    def _write_clouds(self, path: Path) -> tuple[np.ndarray, Remarks]:
        """Write the clouds one after another, never through a map, which a full disk would end with a signal."""
        checks = np.empty(len(self.files), np.uint32)
        remarks = Remarks(root=os.path.abspath(self.root))
        read = read_prepared(self.files, self.preparation, workers=num_workers())
        with open_atomically(path) as file:
            header = dict(descr=DTYPE.str, fortran_order=False, shape=self.shape)
            np.lib.format.write_array_header_1_0(file, header)
            for row, cloud in enumerate(track(read, f'Reading {self.root.name}', total=len(self.files))):
                content = cloud.points.astype(DTYPE).tobytes()
                file.write(content)
                checks[row] = zlib.crc32(content)
                remarks.note(row, cloud.size, self.preparation.num_points)
        return checks, remarks

    def _remove_others(self, place: Path) -> None:
        """Remove what was kept of these files before they or the settings changed, unless a process reads it."""
        stems = {path.stem for path in place.glob(f'{self.family}*.np[yz]')} - {self.name}
        for path in (place / f'{stem}.npy' for stem in stems):
            with suppress(OSError):
                if path.exists():
                    with path.open('rb') as file:
                        if not lock(file.fileno()):
                            continue
                        path.unlink()
                path.with_suffix('.npz').unlink(missing_ok=True)


def _name(root: Path, files: Sequence[Path]) -> str:
    """Which subsets the files are of, ``train`` or ``train-val``; ``all`` of an undivided directory."""
    classes = {folder.relative_to(root).parts for folder in {file.parent for file in files}}
    return '-'.join(sorted({names[0] for names in classes if len(names) > 1})) or 'all'


def _companions(files: Sequence[Path]) -> list[Path]:
    """What else the clouds depend on: all that lies among or below glTF files, whose buffers may be there."""
    folders = {path.parent for path in files if path.suffix.lower() == '.gltf'}
    return sorted({path for folder in folders for path in folder.rglob('*') if path.is_file()} - set(files))
