"""Built-in rooms as files in the format of mmdet3d 1.x, written once for each recipe."""

from __future__ import annotations

import hashlib
import pickle
import shutil
import uuid
from pathlib import Path

import numpy as np
from mmengine.dist import is_main_process
from rich.progress import track

from ..io.atomic import check_writable
from ..io.errors import DatasetError, InvalidValueError
from ..io.locks import held_directory, remove_abandoned_directories
from ..io.restricted_pickle import read_pickle
from .rooms import ROOM_CLASSES, Room, make_room

FOLDERS = {'points': 24, 'instance_mask': 8, 'semantic_mask': 8}
"""Folders with one file per room, and their bytes per point: 6 numbers of 4 bytes, or one of 8."""


def info_file(split: str) -> str:
    """Name of the file that lists the rooms of a split."""
    return f'shapes_scene_infos_{split}.pkl'


def write_rooms(
    directory: Path, *, split: str = 'train', num_scenes: int = 200, num_points: int = 4096, seed: int = 0
) -> Path:
    """Write a split in the layout that mmdet3d has for ScanNet; several splits fit into one directory.

    Args:
        directory (Path): where to write; it is made if it does not exist.
        split (str): ``train``, ``val`` or ``test``.
        num_scenes (int): number of rooms.
        num_points (int): points in every room.
        seed (int): another seed gives other rooms.

    Returns:
        Path: the info file, format 1.1. Boxes are (x, y, z, dx, dy, dz, yaw) with their center, as SUN RGB-D's.

    Raises:
        ValueError: an unknown split, or too few points or rooms.
        OSError: the directory cannot be written.
    """
    if num_scenes < 1:
        raise InvalidValueError(f'num_scenes={num_scenes} must be at least 1.')
    for folder in FOLDERS:
        (directory / folder).mkdir(parents=True, exist_ok=True)
    infos = []
    description = f'Making {num_scenes} built-in rooms ({split})'
    for index in track(
        range(num_scenes), description=description, transient=True, disable=not is_main_process()
    ):
        room = make_room(index, split=split, num_points=num_points, seed=seed)
        infos.append(_write_room(directory, f'{split}_{index:06d}.bin', room))
    categories = {name: label for label, name in enumerate(ROOM_CLASSES)}
    metainfo = dict(categories=categories, dataset='shapes_scene', info_version='1.1')
    path = directory / info_file(split)
    path.write_bytes(pickle.dumps(dict(metainfo=metainfo, data_list=infos)))
    return path


def stored_rooms(data_root: Path, *, split: str, num_scenes: int, num_points: int, seed: int) -> Path:
    """Directory below ``data_root`` with the files of :func:`write_rooms`, which are written if there are none.

    Its name has the arguments and a hash of the recipes' source, so other rooms never stand in for these.

    Raises:
        ValueError: an unknown split, or too few points or rooms.
        DatasetError: the directory cannot be written, or files in it are missing or damaged.
    """
    name = f'{split}_{num_scenes}x{num_points}_seed{seed}_{_recipe_hash()}'
    directory = data_root / name
    if not directory.is_dir():
        _write_at_once(directory, split=split, num_scenes=num_scenes, num_points=num_points, seed=seed)
    _check_files(directory, split, num_points)
    return directory


def _write_room(directory: Path, name: str, room: Room) -> dict:
    """Write the files of a room; returns its entry in the info file."""
    room.points.tofile(directory / 'points' / name)
    room.instances.astype(np.int64).tofile(directory / 'instance_mask' / name)
    room.semantics.astype(np.int64).tofile(directory / 'semantic_mask' / name)
    return dict(
        lidar_points=dict(num_pts_feats=room.points.shape[1], lidar_path=name),
        instances=[
            dict(bbox_3d=box, bbox_label_3d=label)
            for box, label in zip(room.boxes.tolist(), room.labels.tolist())
        ],
        pts_instance_mask_path=name,
        pts_semantic_mask_path=name,
    )


def _write_at_once(directory: Path, *, split: str, num_scenes: int, num_points: int, seed: int) -> None:
    """Write a split so that its directory is either complete or not there."""
    temporary = directory.with_name(f'.{directory.name}.{uuid.uuid4().hex}')
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        check_writable(directory.parent)
        remove_abandoned_directories(directory.parent.glob(f'.{directory.name}.*'))
        with held_directory(temporary):
            write_rooms(temporary, split=split, num_scenes=num_scenes, num_points=num_points, seed=seed)
            temporary.rename(directory)
    except OSError as error:
        # Renaming fails where another process was quicker; its files are the same.
        if not directory.is_dir():
            raise DatasetError(
                f"the built-in rooms cannot be written to '{directory.parent}' ({error}); set data_root to a "
                'directory that can be written.'
            ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_files(directory: Path, split: str, num_points: int) -> None:
    """Report files of a split that are missing or have another size than they were written with."""
    remedy = f"the built-in recipe: delete '{directory}' and start again"
    listed = directory / info_file(split)
    if not listed.is_file():
        raise DatasetError(f"'{listed}' is missing; get it again from {remedy}.")
    content = read_pickle(listed, origin=remedy)
    try:
        names = [info['lidar_points']['lidar_path'] for info in content['data_list']]
    except (TypeError, KeyError) as error:
        raise DatasetError(f"'{listed}' lists no rooms; get it again from {remedy}.") from error
    for name in names:
        for folder, size in FOLDERS.items():
            path = directory / folder / name
            if not path.is_file() or path.stat().st_size != size * num_points:
                raise DatasetError(f"'{path}' is missing or damaged; get it again from {remedy}.")


def _recipe_hash() -> str:
    """Hash of the modules that decide what the rooms look like."""
    digest = hashlib.sha256()
    for module in sorted(Path(__file__).parent.glob('*.py')):
        digest.update(module.read_bytes())
    return digest.hexdigest()[:8]
