"""Reading the files of a config, with one sentence for whatever is wrong with one of them."""

from __future__ import annotations

import ast
import difflib
import errno
import re
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.fileio import load

from ...text import printable
from ..errors import ConfigError, MissingFileError
from .walking import walk_dicts

SUFFIXES = ('.py', '.json', '.yaml', '.yml')

BASE = '_base_'

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
        bases (tuple[ConfigFile, ...]): The files it inherits.
    """

    path: Path
    assigned: frozenset[str]
    used: frozenset[str]
    bases: tuple[ConfigFile, ...]

    def with_bases(self) -> list[ConfigFile]:
        """The file and all that it inherits."""
        return [self, *(file for base in self.bases for file in base.with_bases())]


def read_config(path: str | Path) -> tuple[Config, ConfigFile]:
    """Read a config file and what it inherits.

    Args:
        path (str | Path): The file; ``~`` is the home directory.

    Returns:
        tuple[Config, ConfigFile]: The config, and the files it was read from.

    Raises:
        MissingFileError: The file does not exist; names similar ones.
        ConfigError: It or one of its bases cannot be read; names the file and the line.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise ConfigError(f"config '{printable(path)}' is a directory; give one of the files in it.")
    if not path.is_file():
        raise MissingFileError(f'config {printable(path)} does not exist{_similar_files(path)}')
    if path.suffix not in SUFFIXES:
        raise ConfigError(
            f"config '{printable(path)}' is no config; its name would end in {' or '.join(SUFFIXES)}."
        )
    files = _read_file(path, ())
    try:
        cfg = Config.fromfile(path)
        for _ in walk_dicts(cfg):  # what a config imports, MMEngine looks for when it is read from the config
            pass
        return cfg, files
    except (Exception, SystemExit) as error:  # a config is a program, which may fail in any way
        if isinstance(error, OSError) and error.errno in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EFBIG,
            errno.EROFS,
        ):
            raise ConfigError(
                f'config {printable(path)} cannot be read, as MMEngine copies it to {tempfile.gettempdir()} '
                f'({error.strerror}); make room there, or set TMPDIR to another directory.'
            ) from error
        raise ConfigError(
            f'config {printable(path)} cannot be read ({_describe(error, files)}); mend the file.'
        ) from error


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
    for name in _base_names(tree):
        base = (path.parent / Path(name).expanduser()).absolute()
        if not base.is_file():
            raise MissingFileError(
                f"config {shown} cannot be read: its base '{printable(name)}' does not exist{_similar_files(base)}"
            )
        bases.append(_read_file(base, (*heirs, path.resolve())))
    assigned = _assigned(tree) if path.suffix == '.py' else frozenset(load(path) or ())
    loaded = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return ConfigFile(path, assigned, frozenset({*loaded, *_BASE_VARIABLE.findall(text)}), tuple(bases))


def _assigned(tree: ast.Module) -> frozenset[str]:
    """Names that the statements at the top of a file assign to."""
    names = set()
    for statement in tree.body:
        targets = (
            statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, 'target', None)]
        )
        nodes = (node for target in targets if isinstance(target, ast.AST) for node in ast.walk(target))
        names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return frozenset(names - {BASE})


def _base_names(tree: ast.Module) -> list[str]:
    """Files that a config inherits, as far as that can be told; those of other packages and computed ones are not."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == BASE for target in statement.targets
        ):
            try:
                value = ast.literal_eval(statement.value)
            except (ValueError, TypeError):
                return []
            names = value if isinstance(value, (list, tuple)) else [value]
            return [
                name
                for name in names
                if isinstance(name, str) and '::' not in name and '_reference_' not in name
            ]
    return []


def _describe(error: BaseException, files: ConfigFile) -> str:
    """Type, text and line of an error in a config, on one line."""
    if isinstance(error, ImportError) and isinstance(error.__cause__, ImportError):
        error = error.__cause__  # MMEngine's own message lists the whole module path
    own = {str(file.path.absolute()): file.path for file in files.with_bases()}
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in own]
    where = f' in {printable(own[places[-1].filename])}, line {places[-1].lineno}' if places else ''
    text = ' '.join(str(error).split())
    return f'{type(error).__name__}{where}: {printable(text)}'


def _similar_files(path: Path) -> str:
    """Configs with a similar name, beside ``path`` or below ``configs``, as the end of a sentence."""
    paths = {other.name: other for other in (*Path('configs').rglob('*.py'), *path.parent.glob('*.py'))}
    similar = [
        printable(paths[name]) for name in difflib.get_close_matches(path.name, paths, n=3, cutoff=0.7)
    ]
    return f'; did you mean {" or ".join(similar)}?' if similar else '; see configs/ for what there is.'
