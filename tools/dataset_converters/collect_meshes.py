"""Make a collection for pre-training: ``python tools/dataset_converters/collect_meshes.py FOLDER OUT.h5 --up y``.

Every mesh and cloud below the folder becomes an object of 2048 points within the unit sphere; its path is its name,
from whose words pre-training learns. Run it once per source of meshes and licence, and put several files together with
``--append``. The file is read by ``PointCollection`` (docs/pretraining.md).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import h5py
import numpy as np

from point_peft.cli.arguments import path
from point_peft.cli.tool import run_tool
from point_peft.datasets.collection_files import Collection, read_folder
from point_peft.datasets.orientation import UP_AXES, turn_up
from point_peft.io.errors import DatasetError, DatasetNotFoundError

STORED_UP = 'z'
LARGEST = np.iinfo(np.int16).max


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Make a collection of objects for pre-training')
    parser.add_argument('folder', type=path, help='folder of meshes and clouds, in any depth')
    parser.add_argument('out', type=path, help='h5 file to write')
    parser.add_argument('--up', choices=UP_AXES, required=True, help='axis that points up in the files')
    parser.add_argument('--source', help='where the meshes come from (default: name of the folder)')
    parser.add_argument('--licence', default='unknown', help='their licence, for the record')
    parser.add_argument(
        '--licence-class',
        type=int,
        default=0,
        help='a number by which PointCollection(licence_classes=...) chooses objects (default: 0)',
    )
    parser.add_argument('--append', action='store_true', help='add to the file if it is there')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read the folder and write the file."""
    if not args.folder.is_dir():
        raise DatasetNotFoundError(f"'{args.folder}' is no folder; give the one with your meshes.")
    if args.out.exists() and not args.append:
        raise DatasetError(f"'{args.out}' exists; give another name, or --append to add to it.")
    collection = read_folder(args.folder)
    fields = as_fields(collection, args)
    if args.out.exists():
        fields = joined(args.out, fields)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write(args.out, fields)
    print(f'{args.out}: {len(fields["name"])} objects, {len(collection.names)} of them from {args.folder}')


def as_fields(collection: Collection, args: argparse.Namespace) -> dict[str, np.ndarray]:
    """Arrays of the file, one entry per object."""
    count = len(collection.names)
    points = turn_up(collection.points.astype(np.float64), args.up, STORED_UP)
    text = h5py.string_dtype()
    return dict(
        data=np.round(np.clip(points, -1, 1) * LARGEST).astype(np.int16),
        name=np.array(collection.names, dtype=text),
        source=np.array([args.source or args.folder.name] * count, dtype=text),
        licence=np.array([args.licence] * count, dtype=text),
        licence_class=np.full(count, args.licence_class, dtype=np.int64),
    )


def joined(path: Path, fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the file has, and the new objects behind it.

    Raises:
        DatasetError: The file lacks a field, has objects of another number of points, or another axis up.
    """
    with h5py.File(path, 'r') as file:
        missing = [key for key in fields if key not in file]
        if missing or file.attrs.get('up') != STORED_UP:
            what = f"no '{missing[0]}'" if missing else f"up='{file.attrs.get('up')}' and not '{STORED_UP}'"
            raise DatasetError(f"'{path}' has {what}, so nothing can be added; write another file.")
        old = {key: file[key][()] for key in fields}
    if old['data'].shape[1:] != fields['data'].shape[1:]:
        raise DatasetError(
            f"'{path}' has {old['data'].shape[1]} points per object and not {fields['data'].shape[1]}; "
            'write another file.'
        )
    return {
        key: np.concatenate([old[key], value]).astype(value.dtype if key != 'data' else np.int16)
        for key, value in fields.items()
    }


def write(path: Path, fields: dict[str, np.ndarray]) -> None:
    """Write the file beside its place first, so that a failure leaves an old one whole."""
    partial = path.with_name(path.name + '.partial')
    with h5py.File(partial, 'w') as file:
        for key, value in fields.items():
            is_text = value.dtype == object
            file.create_dataset(
                key,
                data=value,
                dtype=h5py.string_dtype() if is_text else None,
                compression='gzip' if key == 'data' else None,
            )
        file.attrs['up'] = STORED_UP
    os.replace(partial, path)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
