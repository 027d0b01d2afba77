"""Names of configs: every METHOD/BACKBONE_TASK is one, whether or not there is a file for it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from ...io.errors import ConfigError, MissingFileError
from ...io.text import printable

PACKAGE_CONFIGS = Path(__file__).resolve().parents[4] / 'configs'

GROUPS = dict(backbone='backbones', task='tasks', method='methods')
"""Folders of the parts in ``configs/_base_``, in the order in which they are laid over one another."""


@dataclass(frozen=True)
class Combination:
    """A config that is its three parts and nothing else.

    Attributes:
        method (str): Name of a file in ``configs/_base_/methods``.
        backbone (str): The same of ``backbones``.
        task (str): The same of ``tasks``.
    """

    method: str
    backbone: str
    task: str

    def __str__(self) -> str:
        """The name."""
        return f'{self.method}/{self.backbone}_{self.task}'

    @property
    def path(self) -> Path:
        """Where its file would be."""
        return Path('configs', f'{self}.py')

    @property
    def text(self) -> str:
        """What its file would say."""
        return f'parts = {vars(self)}\n'


def find_config(config: str | Path) -> Path | Combination:
    """What a path or a name stands for.

    A file counts first. Otherwise ``lora/recon_shapes`` and ``configs/lora/recon_shapes.py``, from any directory, and
    the absolute path of it are that file in the folder of configs or, without one, the combination of that name.

    Args:
        config (str | Path): Path, relative to the working directory, or name.

    Raises:
        MissingFileError: It is neither; the sentence has the nearest names.
        ConfigError: It is a directory.
    """
    path = Path(config).expanduser()
    if path.is_dir():
        raise ConfigError(f"config '{printable(path)}' is a directory; give one of the files in it.")
    if path.is_file():
        return path
    name = _name(path)
    for folder in config_folders():
        if (folder / f'{name}.py').is_file():
            return folder / f'{name}.py'
    found = [combination for combination in combinations() if str(combination) == name]
    if not found:
        raise MissingFileError(f'config {printable(path)} does not exist{similar_configs(path)}')
    return max(found, key=lambda combination: len(combination.backbone))


def combinations() -> Iterator[Combination]:
    """Every method with every backbone and every task, those included that cannot work."""
    for names in product(*(part_files(group) for group in ('method', 'backbone', 'task'))):
        yield Combination(*names)


def find_part(group: str, name: str, folder: Path) -> Path:
    """The file of a part.

    Args:
        group (str): ``backbone``, ``task`` or ``method``.
        name (str): Its name, or the path of a file of one's own.
        folder (Path): Where such a path starts; otherwise in the working directory.

    Raises:
        MissingFileError: There is no such file.
        ConfigError: There is no part of that name.
    """
    if name.endswith('.py'):
        for path in (folder / name, Path(name)):
            if path.is_file():
                return path
        raise MissingFileError(
            f'the {group} {name} is not there, neither beside the config nor in {Path.cwd()}.'
        )
    files = part_files(group)
    if name not in files:
        near = difflib.get_close_matches(name, files, n=2) or sorted(files)
        raise ConfigError(
            f"there is no {group} '{name}'; there is {', '.join(near)}, or PATH/TO/YOUR_OWN.py."
        )
    return files[name]


def part_files(group: str) -> dict[str, Path]:
    """All parts of a group by name; a folder of configs in the working directory comes before the project's."""
    paths = [
        path
        for folder in config_folders()
        for path in sorted((folder / '_base_' / GROUPS[group]).glob('*.py'))
    ]
    return {path.stem: path for path in reversed(paths)}


def config_folders() -> list[Path]:
    """The folders ``configs`` that have parts: the one in the working directory, and the project's."""
    folders = dict.fromkeys((Path('configs').resolve(), PACKAGE_CONFIGS))
    return [
        folder for folder in folders if any((folder / '_base_' / name).is_dir() for name in GROUPS.values())
    ]


def _name(path: Path) -> str:
    """A path without the folder of configs and the ending."""
    for folder in (Path('configs'), *config_folders()):
        for candidate in (path, path.resolve()):
            if candidate.is_relative_to(folder):
                return candidate.relative_to(folder).as_posix().removesuffix('.py')
    return path.as_posix().removesuffix('.py')


def similar_configs(path: Path) -> str:
    """Configs with a similar name, or beside ``path``, as the end of a sentence."""
    names = [str(combination) for combination in combinations()]
    near = difflib.get_close_matches(_name(path), names, n=3, cutoff=0.7)
    files = {other.name: str(other) for other in path.parent.glob('*.py')}
    near = [files[name] for name in difflib.get_close_matches(path.name, files, n=3, cutoff=0.7)] or near
    return (
        f'; did you mean {" or ".join(map(printable, near))}?'
        if near
        else '; see configs/ for what there is.'
    )
