"""Names of configs: every METHOD/BACKBONE_TASK is one, whether or not there is a file for it."""

from __future__ import annotations

import difflib
import os
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import NamedTuple

from ...io.errors import ConfigError, MissingFileError
from ...io.shipped import CONFIGS, call_of
from ...io.text import printable

GROUPS = dict(backbone='backbones', task='tasks', method='methods')
"""Folders of the parts in ``configs/_base_``, in the order in which they are laid over one another."""


class Combination(NamedTuple):
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


def find_config(config: str | Path) -> Path | Combination:
    """What a path or a name stands for.

    A file counts first. Otherwise ``lora/recon_shapes`` and ``configs/lora/recon_shapes.py``, from any directory, and
    the absolute path of it are that file in a folder of configs or, without one, the combination of that name.

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
    below = [folder for folder in config_folders() if path.resolve().is_relative_to(folder)]
    name = (path.resolve().relative_to(below[0]) if below else path).as_posix().removesuffix('.py')
    files = [folder / f'{name}.py' for folder in config_folders()]
    named: dict[str, Path | Combination] = {str(combination): combination for combination in combinations()}
    found = next((file for file in files if file.is_file()), named.get(name))
    if found is None:
        raise MissingFileError(f'config {printable(path)} does not exist; {_similar(path)}')
    return found


def find_base(base: str, path: Path) -> Path | Combination:
    """What the config in ``path`` inherits: a file or a name, seen from its directory or from the working directory.

    Raises:
        MissingFileError: It is neither.
    """
    for candidate in (os.path.normpath(path.parent / base), base):
        with suppress(MissingFileError):
            return find_config(candidate)
    raise MissingFileError(
        f"config {printable(path)} cannot be read: its base '{printable(base)}' does not exist; "
        f'{_similar(path.parent / base)}'
    )


def find_part(group: str, name: str, path: Path) -> Path:
    """The file of a part that the config in ``path`` names.

    Args:
        group (str): ``backbone``, ``task`` or ``method``.
        name (str): Its name, or the path of a file of one's own, from the config or from the working directory.
        path (Path): The config.

    Raises:
        ConfigError: There is no such part.
    """
    named = part_files(group)
    for file in (named.get(name), path.parent / name, Path(name)):
        if file is not None and file.is_file():
            return file
    near = difflib.get_close_matches(name, named, n=2) or sorted(named)
    raise ConfigError(
        f"{printable(path)}: there is no {group} '{printable(name)}'; there is {', '.join(near)}, or a file of your "
        f'own by its path from the config or from {Path.cwd()}.'
    )


def part_files(group: str) -> dict[str, Path]:
    """All parts of a group by name; a folder of configs in the working directory comes before the project's."""
    folders = [folder / '_base_' / GROUPS[group] for folder in config_folders()]
    return {path.stem: path for folder in reversed(folders) for path in sorted(folder.glob('*.py'))}


def combinations() -> list[Combination]:
    """Every method with every backbone and every task, those included that cannot work."""
    return [Combination(*names) for names in product(*map(part_files, Combination._fields))]


def config_folders() -> tuple[Path, Path]:
    """The folder ``configs`` of the working directory, which may not be there, and the project's."""
    return Path('configs').resolve(), CONFIGS


def _similar(path: Path) -> str:
    """Files beside a path and configs with a similar name, as the end of a sentence."""
    files = {other.name: str(other) for other in path.parent.glob('*.py')}
    beside = [files[name] for name in difflib.get_close_matches(path.name, files, n=3, cutoff=0.7)]
    name = '/'.join(path.parts[-2:]).removesuffix('.py')
    near = beside or difflib.get_close_matches(name, map(str, combinations()), n=3, cutoff=0.7)
    return (
        f'did you mean {" or ".join(map(printable, near))}?'
        if near
        else f'{call_of("misc/list_configs.py")} lists what there is.'
    )
