"""Reading the files of a config, with one sentence for whatever is wrong with one of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import load

from ...text import printable
from ..errors import ConfigError, PointPEFTError
from .layers import Layer, describe_error, find_base, read_layers
from .names import Combination, find_config
from .parts import compose, finished, together, with_parts
from .references import lay_over, nested
from .source import BASE, UNCLEAR, assigned, base_names, used
from .walking import walk_dicts

SUFFIXES = ('.py', '.json', '.yaml', '.yml')

_REFERENCE = re.compile(r'\{\{[^{}]*\}\}')
"""What MMEngine replaces before it reads a file: ``{{_base_.x}}``, ``{{fileDirname}}``, ``{{$VARIABLE:default}}``."""

_BASE_VARIABLE = re.compile(r'\b_base_\.\w+')


@dataclass(frozen=True)
class ConfigFile:
    """One of the files that make up a config.

    Attributes:
        path (Path): Where it is.
        assigned (frozenset[str]): Variables that it sets at its top.
        used (frozenset[str]): Variables that it reads, its own and, as ``_base_.x``, those of its bases.
        bases (tuple[ConfigFile, ...]): The files it inherits; of a config with parts, also these.
        referred (frozenset[str]): Names that are bound last, so that a change of them reaches all who refer to them.
        layers (tuple[Layer, ...]): In a config with parts, what the file and all below it say.
    """

    path: Path
    assigned: frozenset[str]
    used: frozenset[str]
    bases: tuple[ConfigFile, ...]
    referred: frozenset[str] = frozenset()
    layers: tuple[Layer, ...] = ()

    def with_bases(self) -> list[ConfigFile]:
        """The file and all that it inherits."""
        return [self, *(file for base in self.bases for file in base.with_bases())]

    def bound_last(self) -> frozenset[str]:
        """Names that anything here refers to."""
        return frozenset(name for file in self.with_bases() for name in file.referred)

    def config(self) -> Mapping[str, Any]:
        """What the file says together with its bases."""
        return lay_over(self.layers) if self.layers else read_config(self.path)[0]


def read_config(path: str | Path, changes: Mapping[str, Any] | None = None) -> tuple[Config, ConfigFile]:
    """Read a config and what it inherits.

    Args:
        path (str | Path): The file, ``~`` being the home directory, or the name METHOD/BACKBONE_TASK.
        changes (Mapping | None): Values that have the last word before references are bound; keys may have dots.

    Returns:
        tuple[Config, ConfigFile]: The config, and the files it was read from.

    Raises:
        MissingFileError: There is no such file or name; says similar ones.
        ConfigError: It or one of its bases or parts cannot be read; names the file and the line.
    """
    found = find_config(path)
    if isinstance(found, Combination):
        return _read_parts(found, changes)
    if found.suffix not in SUFFIXES:
        raise ConfigError(
            f"config '{printable(found)}' is no config; its name would end in {' or '.join(SUFFIXES)}."
        )
    files = _read_file(found, ())
    if found.suffix == '.py' and any('parts' in file.assigned for file in files.with_bases()):
        return _read_parts(found, changes)
    try:
        cfg = Config.fromfile(found)
        for _ in walk_dicts(cfg):  # what a config imports, MMEngine looks for when it is read from the config
            pass
        return compose(cfg), files
    except PointPEFTError:
        raise
    except (Exception, SystemExit) as error:  # a config is a program, which may fail in any way
        paths = [file.path for file in files.with_bases()]
        raise ConfigError(
            f'config {printable(found)} cannot be read ({describe_error(error, paths)}); mend the file.'
        ) from error


def _read_parts(found: Path | Combination, changes: Mapping[str, Any] | None) -> tuple[Config, ConfigFile]:
    """Read a config that names parts."""
    own = read_layers(found, together)
    layers = with_parts(own)
    parts = layers[: len(layers) - len(own)]
    if isinstance(found, Combination):
        path, text = Path('configs', f'{found}.py'), f'parts = {vars(found)}\n'
    else:
        path, text = found, found.read_text(encoding='utf-8')
    cfg = finished([*layers, Layer('--cfg-options', nested(changes or {}))], text, str(path))
    files = _as_file('the parts', parts, tuple(_as_file(layer.origin, [layer], ()) for layer in parts), parts)
    for number, layer in enumerate(own, start=1):
        files = _as_file(layer.origin, [layer], (files,), layers[: len(parts) + number])
    return cfg, files


def _as_file(
    path: str, said: Sequence[Layer], bases: tuple[ConfigFile, ...], layers: Sequence[Layer] = ()
) -> ConfigFile:
    """What some layers assign, use and refer to, as that of a file."""
    names = [
        frozenset[str]().union(*(getattr(layer, kind) for layer in said))
        for kind in ('assigned', 'used', 'referred')
    ]
    return ConfigFile(Path(path), names[0], names[1], bases, names[2], tuple(layers or said))


def _read_file(path: Path, heirs: tuple[Path, ...]) -> ConfigFile:
    """Read a file and its bases; ``heirs`` are the files that are inheriting it."""
    shown = printable(path)
    if path.resolve() in heirs:
        raise ConfigError(
            f'config {printable(heirs[0])} cannot be read: {shown} inherits itself ({BASE}); take one of the links out.'
        )
    try:
        text = path.read_text(encoding='utf-8')
        tree = ast.parse(_REFERENCE.sub('_reference_', text) if path.suffix == '.py' else '')
    except UnicodeDecodeError as error:
        raise ConfigError(
            f'config {shown} cannot be read: it is not UTF-8 (byte {error.start}); save it as UTF-8.'
        ) from error
    except OSError as error:
        raise ConfigError(f'config {shown} cannot be read ({error.strerror}).') from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # ValueError: a null byte
        line = f' in line {error.lineno}' if isinstance(error, SyntaxError) and error.lineno else ''
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise ConfigError(
            f'config {shown} cannot be read (SyntaxError{line}: {printable(reason)}); mend the file.'
        ) from error
    bases = []
    for name in base_names(tree):
        if name == UNCLEAR or '::' in name or '_reference_' in name:
            continue
        base = find_base(name, path)
        if isinstance(base, Combination):
            bases.append(ConfigFile(Path(str(base)), frozenset({'parts'}), frozenset(), ()))
        else:
            bases.append(_read_file(base.absolute(), (*heirs, path.resolve())))
    names = assigned(tree) if path.suffix == '.py' else frozenset(load(path) or ())
    loaded = used(tree) | frozenset(_BASE_VARIABLE.findall(text))
    return ConfigFile(path, names, loaded, tuple(bases))
