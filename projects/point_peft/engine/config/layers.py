"""What each file of a chain of ``_base_`` says by itself."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from mmengine.config import ConfigDict

from ...text import printable
from ..errors import ConfigError, MissingFileError, PointPEFTError
from .names import Combination, find_config, similar_configs
from .source import BASE, UNCLEAR, parse


@dataclass(frozen=True)
class Layer:
    """What one file says.

    Attributes:
        origin (str): The file, or what else says so.
        values (Mapping): Its sections.
        assigned (frozenset[str]): Variables that it sets.
        used (frozenset[str]): Variables that it reads, so that later values come too late for them.
        referred (frozenset[str]): Names that it refers to, as ``${name}``, so that the last value counts.
    """

    origin: str
    values: Mapping[str, Any]
    assigned: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    referred: frozenset[str] = frozenset()


Together = Callable[[Sequence[Layer]], Mapping[str, Any]]


class Inherited:
    """``_base_`` inside a config: what its bases say together, as in MMEngine."""

    def __init__(self, layers: Sequence[Layer], together: Together) -> None:
        self._make = lambda: ConfigDict(together(layers))
        self._config: ConfigDict | None = None

    def __getattr__(self, name: str) -> Any:
        """A section of the bases."""
        if self._config is None:
            self._config = self._make()
        return getattr(self._config, name)


def read_layers(config: Path | Combination, together: Together, heirs: tuple[Path, ...] = ()) -> list[Layer]:
    """A config after the files that it inherits from.

    Args:
        config (Path | Combination): The file, or a combination, which says nothing but its parts.
        together (Callable): Makes one config of layers, for files that ask for ``_base_.name`` in their code.
        heirs (tuple[Path, ...]): The files that are inheriting it.

    Raises:
        ConfigError: A file cannot be read, or inherits itself.
        MissingFileError: A base does not exist.
    """
    if isinstance(config, Combination):
        return [Layer(str(config), {'parts': vars(config)}, frozenset({'parts'}), frozenset(), frozenset())]
    try:
        source = parse(config)
    except (OSError, SyntaxError, ValueError) as error:
        raise _unreadable(config, error) from error
    if config.resolve() in heirs:
        raise ConfigError(f'config {printable(config)} inherits itself ({BASE}); take one of the links out.')
    heirs = (*heirs, config.resolve())
    below = [
        layer for base in source.bases for layer in read_layers(find_base(base, config), together, heirs)
    ]
    names: dict[str, Any] = {'__file__': str(config), BASE: Inherited(below, together)}
    try:
        exec(source.code, names)
    except PointPEFTError:
        raise
    except (Exception, SystemExit) as error:  # a config is a program, which may fail in any way
        raise _unreadable(config, error) from error
    values = {key: value for key, value in names.items() if not key.startswith('_') and _is_value(value)}
    values = located(values, config.parent)
    return [*below, Layer(str(config), values, source.assigned, source.used, source.referred)]


def find_base(base: str, path: Path) -> Path | Combination:
    """A base of the config in ``path``: a file beside it, or a name.

    Raises:
        MissingFileError: There is no such file, nor such a name.
        ConfigError: The base is computed, or belongs to another package.
    """
    if base == UNCLEAR or '::' in base:
        raise ConfigError(
            f'{printable(path)}: with parts, {BASE} names files or METHOD/BACKBONE_TASK as plain texts.'
        )
    for candidate in (path.parent / Path(base).expanduser(), Path(base)):
        try:
            return find_config(candidate)
        except MissingFileError:
            continue
    raise MissingFileError(
        f"config {printable(path)} cannot be read: its base '{printable(base)}' does not exist"
        f'{similar_configs(path.parent / base)}'
    )


def located(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Sections of a config, with the paths of the parts that are files in its folder."""
    parts = values.get('parts')
    if not isinstance(parts, Mapping):
        return dict(values)
    return {**values, 'parts': {group: _beside(name, folder) for group, name in parts.items()}}


def describe_error(error: BaseException, paths: Iterable[Path]) -> str:
    """Type, text and line of an error in one of some files, on one line."""
    if isinstance(error, ImportError) and isinstance(error.__cause__, ImportError):
        error = error.__cause__  # MMEngine's own message lists the whole module path
    own = {str(path.absolute()): path for path in paths}
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in own]
    where = f' in {printable(own[places[-1].filename])}, line {places[-1].lineno}' if places else ''
    text = ' '.join(str(error).split())
    return f'{type(error).__name__}{where}: {printable(text)}'


def _beside(name: Any, folder: Path) -> Any:
    """The path of a part that is a file in a folder; other names as they are."""
    own = isinstance(name, str) and name.endswith('.py') and (folder / name).is_file()
    return str(folder / name) if own else name


def _is_value(value: Any) -> bool:
    """Whether a variable of a config is one of its values."""
    return not isinstance(value, (FunctionType, ModuleType, type))


def _unreadable(path: Path, error: BaseException) -> ConfigError:
    """The sentence for a config that fails."""
    return ConfigError(
        f'config {printable(path)} cannot be read ({describe_error(error, [path])}); mend the file.'
    )
