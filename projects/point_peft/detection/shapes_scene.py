"""The built-in rooms as a dataset of mmdet3d."""

from __future__ import annotations

from os import path as osp
from pathlib import Path
from typing import Any

from mmdet3d.datasets import SUNRGBDDataset

from ..procedural.room_files import info_file, stored_rooms
from ..procedural.rooms import ROOM_CLASSES
from ..registry import DATASETS


@DATASETS.register_module()
class ShapesScene(SUNRGBDDataset):
    """Rooms with furniture and oriented boxes, made from a seed; nothing is downloaded.

    The rooms are written once, below ``data_root``, and read as those of SUN RGB-D are: by mmdet3d's transforms. A
    cloud has 6 columns, coordinates in metres with z up and colors from 0 to 255. Instance and semantic masks are
    there as for ScanNet; points without a box have instance 0 and the number of classes as semantic label.

    Args:
        data_root (str): where to keep the rooms.
        split (str): ``train``, ``val`` or ``test``; they share no room.
        num_scenes (int): rooms in the split. A larger split begins with the rooms of a smaller one.
        num_points (int): points in every room, at least 512.
        seed (int): another seed gives other rooms.
        kwargs (Any): further arguments of mmdet3d's ``SUNRGBDDataset``, such as ``pipeline`` and ``metainfo``.

    Raises:
        ValueError: an unknown split, or too few points or rooms.
        DatasetError: ``data_root`` cannot be written, or files in it are missing or damaged.
    """

    METAINFO = dict(
        classes=ROOM_CLASSES,
        palette=[
            (255, 187, 120),
            (148, 103, 189),
            (31, 119, 180),
            (188, 189, 34),
            (44, 160, 44),
            (140, 86, 75),
            (255, 152, 150),
        ],
    )

    writes_data_root = True
    """The data need not be there when a run starts."""

    def __init__(
        self,
        data_root: str = 'data/shapes_scene',
        *,
        split: str = 'train',
        num_scenes: int = 200,
        num_points: int = 4096,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        directory = stored_rooms(
            Path(data_root), split=split, num_scenes=num_scenes, num_points=num_points, seed=seed
        )
        super().__init__(
            data_root=str(directory),
            ann_file=info_file(split),
            data_prefix=dict(
                pts='points', pts_instance_mask='instance_mask', pts_semantic_mask='semantic_mask'
            ),
            modality=dict(use_camera=False, use_lidar=True),
            **kwargs,
        )

    def parse_data_info(self, info: dict) -> dict:
        """Complete the paths of a room's files; SUN RGB-D, whose code does the rest, has no masks."""
        for mask in ('pts_instance_mask', 'pts_semantic_mask'):
            info[f'{mask}_path'] = osp.join(self.data_prefix[mask], info[f'{mask}_path'])
        return super().parse_data_info(info)
