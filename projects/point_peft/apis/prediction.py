"""Predictions on files: how their clouds are prepared, what is predicted, and what it is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor

from ..datasets.class_files import JUNK
from ..datasets.preparation import Preparation, preparation_of
from ..datasets.readers import SUFFIXES
from ..engine.config.classes import dataset_class, datasets_of
from ..io.errors import ConfigError, DatasetError, PointPEFTError
from ..io.weights import from_plain, load_checkpoint_file
from ..structures import PointDataSample

USUAL_RADIUS = (0.25, 4.0)
"""Distances of the farthest point from the origin that clouds near the unit sphere have."""


def preparation_for_files(cfg: Config, normalize: str | None = None) -> Preparation:
    """How files are prepared: as the dataset does that a config's model is tested on, or else validated or trained on.

    Args:
        cfg (Config): The config.
        normalize (str | None): ``unit_sphere`` or ``none`` in place of what the dataset does; None for that.

    Raises:
        ConfigError: No dataset says how, nor does ``normalize``.
    """
    dataset = next(reversed(datasets_of(cfg)), None)
    try:
        if dataset is None:
            raise DatasetError('the config has no dataset, which would say how a single cloud is prepared.')
        found = preparation_of(dataset)
    except DatasetError as error:
        if normalize is None:
            raise ConfigError(f'{str(error).rstrip(".")}; give --normalize.') from error
        found = Preparation()
    if normalize is None:
        return found
    return replace(found, normalize=None if normalize == 'none' else normalize)


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Files as they are given; of directories, all clouds and meshes in and below them, by name.

    Hidden files, and what systems put into directories, are passed over.

    Raises:
        DatasetError: A directory has none.
    """
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = [file for file in sorted(path.rglob('*')) if _is_shown(file.relative_to(path))]
        clouds = [file for file in inside if file.suffix.lower() in SUFFIXES and file.is_file()]
        if not clouds:
            raise DatasetError(f"'{path}' holds no cloud; expected files that end in {', '.join(SUFFIXES)}.")
        found += clouds
    return found


def read_clouds(
    preparation: Preparation, files: Sequence[Path], problems: dict[Path, str] | None = None
) -> list[Tensor]:
    """Read files as the dataset would, with one warning if their place or size is unusual.

    Args:
        preparation (Preparation): what the dataset does to a cloud.
        files (Sequence[Path]): clouds or meshes.
        problems (dict | None): Gets the files that cannot be used, and why, unless there is no other.

    Returns:
        list[Tensor]: clouds (N, 3) float32, of the files without problem.

    Raises:
        DatasetError: A file cannot be read or used; names it.
    """
    clouds = []
    for number, path in enumerate(files, start=1):
        try:
            clouds.append(preparation.read(path))
        except (PointPEFTError, OSError) as error:
            if problems is None or (number == len(files) and not clouds):
                raise
            problems[path] = str(error)
    if problems:
        files = [path for path in files if path not in problems]
    if preparation.normalize is None:
        radii = [float(np.linalg.norm(points, axis=1).max()) for points in clouds]
        odd = [index for index, radius in enumerate(radii) if not _is_usual(radius)]
        if odd:
            print_log(
                f"{len(odd)} of {len(files)} clouds, '{files[odd[0]]}' among them, reach {radii[odd[0]]:.4g} from the "
                'origin and stay so, as the dataset does not normalise; if its own files are in the unit sphere, give '
                '--normalize unit_sphere.',
                logger='current',
                level=30,
            )
    return [torch.from_numpy(points) for points in clouds]


def predict_files(
    model: BaseModel,
    clouds: Sequence[Tensor],
    files: Sequence[Path],
    category: int | None = None,
    *,
    batch_size: int = 1,
    problems: dict[Path, str] | None = None,
) -> Iterator[PointDataSample]:
    """Classes or parts of clouds, in batches as a test has them, since float32 rounds otherwise in others.

    Args:
        model (BaseModel): The model.
        clouds (Sequence[Tensor]): (N, 3) coordinates of each file; those of other sizes than their batch go alone.
        files (Sequence[Path]): Where they came from.
        category (int | None): What the objects are, for part segmentation.
        batch_size (int): Clouds at a time.
        problems (dict | None): Gets the files that the model cannot take, and why, unless there is only one file.

    Yields:
        PointDataSample: ``pred_scores`` (num_classes,) and ``pred_label``, or ``pred_part`` (N,), on the CPU.

    Raises:
        PointPEFTError: The model cannot take a cloud; names its file.
    """
    for start in range(0, len(files), batch_size):
        part = slice(start, start + batch_size)
        size = len({len(cloud) for cloud in clouds[part]})
        groups = [part] if size == 1 else [slice(i, i + 1) for i in range(*part.indices(len(files)))]
        for group in groups:
            try:
                yield from _predict(model, clouds[group], files[group], category)
            except PointPEFTError as error:
                if problems is None or len(files) == 1:
                    raise
                problems.update(dict.fromkeys(files[group], str(error)))  # of one size, so that none fits


def dataset_meta(cfg: Config, checkpoint: str) -> dict[str, Any]:
    """Names of classes and parts as the training noted them; as the config's dataset has them where a file has none."""
    meta = from_plain(load_checkpoint_file(checkpoint).get('meta') or {}).get('dataset_meta')
    if meta:
        return dict(meta)
    dataset = dataset_class((cfg.get('test_dataloader') or {}).get('dataset'))
    found = {name: getattr(dataset, name, None) for name in ('classes', 'parts', 'class_parts')}
    return {name: value for name, value in found.items() if isinstance(value, (tuple, Mapping)) and value}


def class_names(meta: Mapping[str, Any], num_classes: int) -> Sequence[str]:
    """Names of the classes; their numbers where there are none, or of another number."""
    names = meta.get('classes') or ()
    return names if len(names) == num_classes else [str(index) for index in range(num_classes)]


def _is_shown(path: Path) -> bool:
    """Whether a path below a directory is meant to be seen."""
    return not any(part.startswith('.') or part.lower() in JUNK for part in path.parts)


def _is_usual(radius: float) -> bool:
    """Whether a cloud may have been scaled to about the unit sphere."""
    return USUAL_RADIUS[0] <= radius <= USUAL_RADIUS[1]


def _predict(
    model: BaseModel, clouds: Sequence[Tensor], files: Sequence[Path], category: int | None
) -> list[PointDataSample]:
    """Predictions on a batch of clouds of one size."""
    samples = [PointDataSample(metainfo=dict(source=str(path))) for path in files]
    inputs = dict(points=list(clouds))
    if category is not None:
        for sample in samples:
            sample.category = torch.tensor(category)
        inputs['category'] = [sample.category for sample in samples]
    try:
        with torch.no_grad():
            found = model.test_step({'inputs': inputs, 'data_samples': samples})
    except ValueError as error:  # clouds of one size fit or do not fit together
        raise PointPEFTError(f"'{files[0]}' cannot be processed: {error}") from error
    return [sample.cpu() for sample in found]
