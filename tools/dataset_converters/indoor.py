"""Prepare ScanNet, SUN RGB-D or S3DIS: ``python tools/dataset_converters/indoor.py DATASET --root-path DIR``.

Checks that the downloaded files are there, lets mmdet3d's own converters (``create_indoor_info_file`` and
``update_pkl_infos`` of its package) write clouds, masks and infos in the format of mmdet3d 1.x, and loads the result
through mmdet3d's dataset. What has to be in ``--root-path``, and where to get it: docs/datasets.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from point_peft.cli.arguments import path
from point_peft.cli.tool import run_tool
from point_peft.datasets.scannet_scans import ARRAYS, SCAN_FILES, export_scan, read_class_ids
from point_peft.engine.config.tiers import INSTALL, check_tiers
from point_peft.io.errors import MissingFileError, PointPEFTError
from point_peft.registry import DATASETS

DATASETS_OF = dict(
    scannet='mmdet3d.ScanNetDataset', sunrgbd='mmdet3d.SUNRGBDDataset', s3dis='mmdet3d.S3DISDataset'
)
"""Datasets of mmdet3d that read what is written."""

AREAS = tuple(f'Area_{number}' for number in range(1, 7))
SPLITS = dict(scannet=('train', 'val'), sunrgbd=('train', 'val'), s3dis=AREAS)

MASKS = ('instance_mask', 'semantic_mask', 'seg_info')
WRITTEN = dict(scannet=('points', *MASKS), sunrgbd=('points',), s3dis=('points', *MASKS))
"""Directories that mmdet3d's converters write beside the infos."""

SCANNET_META = "copy it from data/scannet/meta_data of mmdet3d's repository"
SUNRGBD_FILES = ('depth/{:06d}.mat', 'image/{:06d}.jpg', 'calib/{:06d}.txt', 'label/{:06d}.txt')
S3DIS_ROOMS = 'Stanford3dDataset_v1.2_Aligned_Version'
S3DIS_ARRAYS = ('point', 'sem_label', 'ins_label')

FARTHEST = 1000.0
"""Coordinates in metres beyond this are not those of a room: the file holds another type of number."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Prepare an indoor dataset with mmdet3d's converters")
    parser.add_argument('dataset', choices=list(DATASETS_OF), help='which dataset')
    parser.add_argument('--root-path', type=path, required=True, help='directory with the downloaded files')
    parser.add_argument('--out-dir', type=path, help='data_root of the configs (default: --root-path)')
    parser.add_argument('--workers', type=int, default=4, help='scenes at a time (default: 4)')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Check, convert, and load what was written."""
    init_default_scope('point_peft')
    check_tiers(Config(dict(train_dataloader=dict(dataset=dict(type=DATASETS_OF[args.dataset])))))
    root, out_dir = args.root_path.resolve(), (args.out_dir or args.root_path).resolve()
    require([root], 'it should hold the downloaded files')
    out_dir.mkdir(parents=True, exist_ok=True)
    # The converters read and write one directory. Theirs is made of links here, so that the downloaded files stay as
    # they are; and infos appear only when they are complete.
    with TemporaryDirectory(prefix='.converting_', dir=out_dir) as stage, TemporaryDirectory() as infos:
        STAGES[args.dataset](root, Path(stage), args.workers)
        for name in WRITTEN[args.dataset]:
            (out_dir / name).mkdir(exist_ok=True)
            (Path(stage) / name).symlink_to(out_dir / name)
        indoor, update = mmdet3d_converters()
        indoor.create_indoor_info_file(stage, args.dataset, infos, workers=args.workers)
        for split in SPLITS[args.dataset]:
            update.update_pkl_infos(args.dataset, str(out_dir), f'{infos}/{info_file(args.dataset, split)}')
    report(args.dataset, out_dir)


def stage_scannet(root: Path, stage: Path, workers: int) -> None:
    """Arrays of the scans of both lists: those that mmdet3d's script has made, or else made here.

    The test scans are left out, since their labels are not published and no config reads them.
    """
    meta = root / 'meta_data'
    lists = [f'scannetv2_{split}.txt' for split in SPLITS['scannet']]
    require([meta / name for name in lists], SCANNET_META)
    (stage / 'meta_data').mkdir()
    (stage / 'meta_data/scannetv2_test.txt').touch()
    for name in lists:
        (stage / 'meta_data' / name).symlink_to(meta / name)
    scans = [scan for name in lists for scan in read_list(meta / name)]
    made, arrays = root / 'scannet_instance_data', stage / 'scannet_instance_data'
    if made.is_dir():
        needed = [made / f'{scan}_{array}.npy' for scan in scans for array in ARRAYS]
        require(needed, "run mmdet3d's batch_load_scannet_data.py again, or delete the directory")
        arrays.symlink_to(made)
        return
    class_file = meta / 'scannetv2-labels.combined.tsv'
    require([class_file], SCANNET_META)
    require(
        [root / 'scans' / scan / f'{scan}{suffix}' for scan in scans for suffix in SCAN_FILES],
        "ScanNet's download script gets it with --type and the name behind that of the scan",
    )
    arrays.mkdir()
    class_ids = read_class_ids(class_file)
    with ProcessPoolExecutor(workers) as executor:
        directories = [root / 'scans' / scan for scan in scans]
        done = executor.map(export_scan, directories, repeat(arrays), repeat(class_ids))
        for _ in track(done, description='Reading the scans', total=len(scans)):
            pass


def stage_sunrgbd(root: Path, stage: Path, workers: int) -> None:
    """What mmdet3d's Matlab scripts have made of the downloaded files."""
    made = root / 'sunrgbd_trainval'
    lists = [made / f'{split}_data_idx.txt' for split in SPLITS['sunrgbd']]
    require(lists, "mmdet3d's data/sunrgbd/matlab/extract_split.m makes it")
    numbers = [int(number) for path in lists for number in read_list(path)]
    require(
        [made / name.format(number) for number in numbers for name in SUNRGBD_FILES],
        "mmdet3d's data/sunrgbd/matlab/extract_rgbd_data_v2.m makes it, and passes over scenes that fail",
    )
    (stage / made.name).symlink_to(made)


def stage_s3dis(root: Path, stage: Path, workers: int) -> None:
    """What mmdet3d's script has made of the downloaded rooms; the converter finds their names in directories."""
    areas = [root / S3DIS_ROOMS / area for area in AREAS]
    require(areas, f'unpack {S3DIS_ROOMS}.zip there')
    rooms = [room for area in areas for room in sorted(area.iterdir()) if room.is_dir()]
    made = root / 's3dis_data'
    require(
        [made / f'{room.parent.name}_{room.name}_{array}.npy' for room in rooms for array in S3DIS_ARRAYS],
        "mmdet3d's data/s3dis/collect_indoor3d_data.py makes it",
    )
    for room in rooms:
        (stage / S3DIS_ROOMS / room.parent.name / room.name).mkdir(parents=True)
    (stage / made.name).symlink_to(made)


STAGES = dict(scannet=stage_scannet, sunrgbd=stage_sunrgbd, s3dis=stage_s3dis)
"""Functions that check the downloaded files and put them where mmdet3d's converters look, in an empty directory."""


def require(paths: Sequence[Path], remedy: str) -> None:
    """Raise an error that names the first of the paths that is missing, how many are, and how to get them."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        more = f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''
        raise MissingFileError(f"'{missing[0]}'{more} does not exist; {remedy}, see docs/datasets.md.")


def read_list(path: Path) -> list[str]:
    """The scenes of a list, one per line."""
    names = path.read_text().split()
    if not names:
        raise PointPEFTError(f"'{path}' lists no scene; get it again, see docs/datasets.md.")
    return names


def info_file(dataset: str, split: str) -> str:
    """Name that mmdet3d gives the infos of a split."""
    return f'{dataset}_infos_{split}.pkl'


def mmdet3d_converters() -> tuple[ModuleType, ModuleType]:
    """mmdet3d's modules ``indoor_converter`` and ``update_infos_to_v2``, which its wheel has beside the package.

    They import each other from a package ``tools``, as in mmdet3d's repository, which must not be this project's.
    """
    directory = Path(import_module('mmdet3d').__path__[0]) / '.mim/tools'
    require(
        [directory / 'dataset_converters/indoor_converter.py'],
        f'this mmdet3d came without its tools; install it again with: {INSTALL}',
    )
    package = ModuleType('tools')
    package.__path__ = [str(directory)]
    sys.modules['tools'] = package
    indoor, update = (
        import_module(f'tools.dataset_converters.{name}')
        for name in ('indoor_converter', 'update_infos_to_v2')
    )
    return indoor, update


def report(dataset: str, out_dir: Path) -> None:
    """Load every split through mmdet3d's dataset, and say how many scenes and boxes it has.

    Raises:
        PointPEFTError: The first cloud of a split is not one of a room.
    """
    pipeline = [
        dict(type='mmdet3d.LoadPointsFromFile', coord_type='DEPTH', load_dim=6, use_dim=3),
        dict(type='mmdet3d.Pack3DDetInputs', keys=['points']),
    ]
    for split in SPLITS[dataset]:
        infos = out_dir / info_file(dataset, split)
        scenes: Any = DATASETS.build(
            dict(
                type=DATASETS_OF[dataset],
                data_root=str(out_dir),
                ann_file=infos.name,
                pipeline=pipeline,
                filter_empty_gt=False,
            )
        )
        points = scenes[0]['inputs']['points']
        if not (points.abs() < FARTHEST).all():  # which not-a-number is not either
            raise PointPEFTError(
                f"the first cloud of '{infos}' has coordinates that are not those of a room; the numbers in the files "
                'it was made of should be of 4 bytes (float32, in Matlab single).'
            )
        boxes = sum(len(scenes.get_ann_info(index)['gt_labels_3d']) for index in range(len(scenes)))
        print(f"'{infos}': {len(scenes)} scenes, {boxes} boxes, {len(points)} points in the first scene")


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
