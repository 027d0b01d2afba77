"""Reading a config: its layers, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from ...io.errors import ConfigError, PointPEFTError
from ...io.text import printable
from .files import ConfigFile
from .names import Combination, find_config
from .parts import read_layers, with_parts
from .references import bind, lay_over


def read_config(
    path: str | Path, changes: Mapping[str, Any] | None = None
) -> tuple[Config, list[ConfigFile]]:
    """Read a config, with what it inherits and its parts.

    Args:
        path (str | Path): The file, ``~`` being the home directory, or the name METHOD/BACKBONE_TASK.
        changes (Mapping | None): Values that have the last word before references are bound; keys may have dots.

    Returns:
        tuple[Config, list[ConfigFile]]: The config, and the layers it was read from. What a file inherits is before it,
        the config's own file at the end.

    Raises:
        MissingFileError: There is no such file or name; says similar ones.
        ConfigError: It or one of its bases or parts cannot be read; names the file and the line.
    """
    files = with_parts(read_layers(find_config(path)))
    nested = Config()
    nested.merge_from_dict(dict(changes or {}))
    return _config_of([*files, ConfigFile(files[-1].path, nested.to_dict())]), files


def compose(cfg: Config) -> Config:
    """Put the parts beneath a config that MMEngine has read; one that names none stays as it is.

    Args:
        cfg (Config): The config, which is not changed.
    """
    if 'parts' not in cfg:
        return cfg
    return _config_of(with_parts([ConfigFile(Path(cfg.filename or 'the config'), cfg.to_dict())]))


def reason_against(combination: Combination) -> str | None:
    """Why three parts do not work together; None if they do."""
    try:
        bind(lay_over(with_parts(read_layers(combination))))
    except PointPEFTError as error:
        return str(error).removeprefix(f'{combination.path}: ')
    return None


def _config_of(layers: Sequence[ConfigFile]) -> Config:
    """The config of layers, with the modules imported that it asks for.

    Raises:
        ConfigError: A module cannot be imported.
    """
    path = layers[-1].path
    cfg = Config(bind(lay_over(layers)), cfg_text=f'# {path}\n', filename=str(path))
    try:
        import_modules_from_strings(**cfg.get('custom_imports') or dict(imports=[]))
    except ImportError as error:
        raise ConfigError(
            f'{printable(path)}: {error} (custom_imports); put its directory on PYTHONPATH.'
        ) from error
    return cfg
