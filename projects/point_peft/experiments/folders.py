"""How a folder of one's own clouds goes with its number of files: reading it, memory, and taking clouds from it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from rich.progress import track

from ..datasets import PointCloudFolder
from ..engine.config import OptionText, load_config
from ..engine.config.classes import dataset_class
from ..engine.runtime.memory import peak_memory, restart_peak
from ..io.errors import ConfigError
from ..registry import DATASETS
from .contestant import Conditions
from .costs import MEGABYTE, Costs
from .growth import FILES, Growth
from .own_process import answer_of

NUM_CLASSES = 4

NUM_TAKEN = 512
"""Clouds that are taken from a folder, at random."""

PROGRAM = f'import sys; from {__name__} import work; work(sys.argv[1])'
"""What a process runs, told by its argument."""


@dataclass(frozen=True)
class FolderGrowth(Growth):
    """What a training set costs that is a folder of several numbers of files."""

    titles: ClassVar[Mapping[str, str]] = {
        'first_s': 'seconds to open it the first time',
        'again_s': 'again',
        'first_mb': 'MB of the process, the first time',
        'again_mb': 'again',
        'cloud_ms': 'ms to take a cloud',
        'kept_mb': 'MB of prepared clouds on the disk',
    }
    drawn: ClassVar[Mapping[str, str]] = {
        'first_s': 'seconds to open a folder the first time',
        'again_mb': 'MB of the process',
    }


def measure_folders(
    configs: Sequence[str], conditions: Conditions, options: Mapping[str, str], counts: Sequence[int]
) -> FolderGrowth:
    """Measure the training sets of configs on folders of random clouds, which are removed afterwards.

    Every folder is opened by one process, and then by another, both of which take clouds from it at random as a
    training does. Memory is the peak above that of the process before.

    Args:
        configs (Sequence[str]): Config files or names, with a :class:`PointCloudFolder`.
        conditions (Conditions): ``num_points`` is that of the files.
        options (Mapping): ``--cfg-options``, texts.
        counts (Sequence[int]): Numbers of files.

    Raises:
        ConfigError: A config trains on something else, or a folder has too few files for its classes.
        PointPEFTError: A process failed.
    """
    for config in configs:
        if not issubclass(dataset_class(_training_set(config, options)), PointCloudFolder):
            raise ConfigError(
                f'{config} trains on no folder of files; give one as point_peft/pointmae_folder.'
            )
    counts = sorted(counts)
    if counts[0] < 5 * NUM_CLASSES:
        raise ConfigError(f'--grow {FILES} {counts[0]}: a folder needs {5 * NUM_CLASSES} files or more.')
    costs: dict[str, list[Costs]] = {config: [] for config in configs}
    for count in track(counts, description=FILES):
        for config, rows in costs.items():
            with tempfile.TemporaryDirectory() as folder:
                write_clouds(Path(folder), count, conditions.num_points)
                first, again = (_opened(folder, config, conditions, options) for _ in range(2))
                kept = sum(file.stat().st_size for file in Path(folder, '.cache').glob('*') if file.is_file())
            rows.append(
                {
                    'first_s': first['seconds'],
                    'again_s': again['seconds'],
                    'first_mb': first['mb'],
                    'again_mb': again['mb'],
                    'cloud_ms': again['cloud_ms'],
                    'kept_mb': kept / MEGABYTE,
                }
            )
    return FolderGrowth(FILES, counts, costs)


def write_clouds(folder: Path, count: int, num_points: int) -> None:
    """Write random clouds (num_points, 3), float32, as many of each class."""
    random = np.random.default_rng(0)
    for number in range(NUM_CLASSES):
        (folder / f'class_{number}').mkdir()
    for number in range(count):
        cloud = random.standard_normal((num_points, 3), dtype=np.float32)
        np.save(folder / f'class_{number % NUM_CLASSES}' / f'{number}.npy', cloud)


def work(told: str) -> None:
    """Open a folder and take clouds from it; prints the costs as JSON.

    Args:
        told (str): JSON of folder, config and options.
    """
    there = json.loads(told)
    options = {key: OptionText(text) for key, text in there['options'].items()}
    described = _training_set(there['config'], {**options, 'data_root': there['folder']})
    before, start = restart_peak(), time.perf_counter()
    dataset = DATASETS.build(described)
    seconds = time.perf_counter() - start
    taken = np.random.default_rng(0).permutation(len(dataset))[:NUM_TAKEN].tolist()
    start = time.perf_counter()
    for index in taken:
        dataset[index]
    cloud = (time.perf_counter() - start) / len(taken)
    print(
        json.dumps({'seconds': seconds, 'cloud_ms': 1e3 * cloud, 'mb': (peak_memory() - before) / MEGABYTE})
    )


def _training_set(config: str, options: Mapping[str, str]) -> Mapping:
    """How the training set of a config is built."""
    described: Mapping = load_config(config, options).train_dataloader.dataset
    return described


def _opened(folder: str, config: str, conditions: Conditions, options: Mapping[str, str]) -> Costs:
    """What a process says that opens a folder."""
    told = json.dumps({'folder': folder, 'config': config, 'options': dict(options), **asdict(conditions)})
    costs: Costs = answer_of(PROGRAM, told, f'the folder of {config} could not be opened')
    return costs
