"""The file of a comparison: methods x settings x draws."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..engine.config import walk_dicts
from ..io.errors import ConfigError, MissingFileError

KEYS = (
    *('title', 'methods', 'reference', 'settings', 'seeds', 'draws', 'candidates'),
    *('chosen_in', 'metric', 'compared', 'options'),
)

COMPARED = ('best_on_val', 'last')
"""What a matrix file may say, and which accuracies it may compare."""

TUNING_SEED = 1000
"""Seed of the runs that choose among candidates; the reported runs have others."""

Options = Mapping[str, Any]
"""Changes to a config by dotted keys, as for ``--cfg-options``."""


@dataclass(frozen=True)
class Cell:
    """One training.

    Attributes:
        setting (str): Name of the setting.
        method (str): Name of the method.
        draw (str): Name of the seed or fold.
        config (str): Config of the method.
        options (Mapping): All changes to it.
        candidate (int | None): Which candidate a tuning run tries; None for a run that is reported.
    """

    setting: str
    method: str
    draw: str
    config: str
    options: Options
    candidate: int | None = None

    @property
    def name(self) -> str:
        """Path of the cell's directory below that of the matrix."""
        return '/'.join(_slug(part) for part in (self.setting, self.method, self.draw) if part)


@dataclass(frozen=True)
class Matrix:
    """A comparison.

    Attributes:
        title (str): What is compared.
        methods (Mapping[str, tuple[str, Options]]): Config and changes of every method.
        reference (str): Method that the others are compared with, draw by draw.
        settings (Mapping[str, Options]): Changes that hold for all methods, by name; one row group each.
        draws (Mapping[str, Options]): Seeds or folds.
        candidates (Sequence[Options]): Changes among which each method's are chosen on the validation split; the same
            for all methods, so that each has the same budget. Empty: as the configs are.
        chosen_in (str | None): The setting in which they are chosen for all; None for each setting by itself.
        reported (Sequence[str]): The settings that are run and reported; all by default.
        metric (str): Name of the accuracy.
        compared (str): Which epoch's accuracy is compared: ``best_on_val``, or ``last`` where no labels are to be spent
            on choosing one.
    """

    title: str
    methods: Mapping[str, tuple[str, Options]]
    reference: str
    settings: Mapping[str, Options]
    draws: Mapping[str, Options]
    candidates: Sequence[Options] = ()
    chosen_in: str | None = None
    reported: Sequence[str] = ()
    metric: str = 'overall_accuracy'
    compared: str = 'best_on_val'

    def __post_init__(self) -> None:
        """All settings are reported unless some are named."""
        if not self.reported:
            object.__setattr__(self, 'reported', tuple(self.settings))

    def only(self, settings: Sequence[str]) -> Matrix:
        """The same comparison in some of its settings.

        Raises:
            ConfigError: It has no such setting.
        """
        for name in settings:
            self._check_setting(name)
        return replace(self, reported=tuple(name for name in self.settings if name in settings))

    def tuned_in(self, setting: str) -> str:
        """The setting whose validation split chooses for this one."""
        return setting if self.chosen_in is None else self.chosen_in

    def tuning_cells(self, setting: str, method: str) -> list[Cell]:
        """The runs that try the candidates."""
        return [
            self._cell(
                setting, method, f'candidate {number}', {'randomness.seed': TUNING_SEED, **tried}, number
            )
            for number, tried in enumerate(self.candidates)
        ]

    def cells(self, setting: str, method: str, chosen: Options) -> list[Cell]:
        """The runs that are reported, with the candidate that was chosen."""
        return [
            self._cell(setting, method, draw, {**chosen, **of_draw}) for draw, of_draw in self.draws.items()
        ]

    def _check_setting(self, name: str) -> None:
        if name not in self.settings:
            raise ConfigError(
                f"the matrix has no setting '{name}'; it has {', '.join(map(repr, self.settings))}."
            )

    def _cell(
        self, setting: str, method: str, draw: str, last: Options, candidate: int | None = None
    ) -> Cell:
        config, own = self.methods[method]
        options = {**self.settings[setting], **own, **last}
        return Cell(setting, method, draw, config, options, candidate)


def load_matrix(path: str | Path, options: Options | None = None) -> Matrix:
    """Read a matrix file: Python with the assignments of :data:`KEYS`.

    Args:
        path (str | Path): The file. ``methods`` maps names to a config, or to ``dict(config=..., options=...)``;
            ``seeds`` is short for draws that differ in ``randomness.seed``; ``options`` holds for every run.
        options (Mapping | None): Further changes to every run, from the command line; ``data_root`` reaches the
            datasets that the file describes as well.

    Raises:
        MissingFileError: There is no such file.
        ConfigError: Something in it is missing, unknown or contradictory.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(
            f"matrix '{path}' does not exist; see tools/experiments for those that are there."
        )
    try:
        content = Config.fromfile(path).to_dict()
    except (SyntaxError, NameError, KeyError, TypeError) as error:
        raise ConfigError(
            f"matrix '{path}' cannot be read ({type(error).__name__}: {error}); correct it."
        ) from error
    unknown = [key for key in content if key not in KEYS and not key.startswith('_')]  # _x: the file's own
    if unknown:
        raise ConfigError(
            f"matrix '{path}' has {unknown[0]!r}, which nothing reads; it may have {', '.join(KEYS)}."
        )
    options = options or {}
    if 'data_root' in options:
        for _, node in walk_dicts(content):
            if 'data_root' in node:
                node['data_root'] = options['data_root']
    common = {**content.get('options', {}), **options}
    methods = {name: _method(name, spec, path) for name, spec in content.get('methods', {}).items()}
    reference = content.get('reference')
    if reference not in methods:
        raise ConfigError(
            f"matrix '{path}' has reference={reference!r}, which is none of its methods {list(methods)}."
        )
    settings = {
        name: {**common, **changes} for name, changes in (content.get('settings') or {'': {}}).items()
    }
    draws = content.get('draws') or {
        f'seed {seed}': {'randomness.seed': seed} for seed in content.get('seeds', ())
    }
    if not draws:
        raise ConfigError(f"matrix '{path}' has neither seeds nor draws; give at least three seeds.")
    matrix = Matrix(
        title=content.get('title', path.stem),
        methods=methods,
        reference=reference,
        settings=settings,
        draws=draws,
        candidates=tuple(content.get('candidates', ())),
        chosen_in=content.get('chosen_in'),
        metric=content.get('metric', 'overall_accuracy'),
        compared=content.get('compared', 'best_on_val'),
    )
    if matrix.compared not in COMPARED:
        raise ConfigError(
            f"matrix '{path}' has compared={matrix.compared!r}; give one of {', '.join(COMPARED)}."
        )
    if matrix.chosen_in is not None:
        matrix._check_setting(matrix.chosen_in)
    _check_names(matrix, path)
    return matrix


def _method(name: str, spec: Any, path: Path) -> tuple[str, Options]:
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, dict) and 'config' in spec and set(spec) <= {'config', 'options'}:
        return spec['config'], spec.get('options', {})
    raise ConfigError(
        f"matrix '{path}': method {name!r} is neither a config nor dict(config=..., options=...)."
    )


def _check_names(matrix: Matrix, path: Path) -> None:
    """Refuse names that would share a directory."""
    for kind in ('methods', 'settings', 'draws'):
        slugs = [_slug(name) for name in getattr(matrix, kind)]
        twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
        if twice:
            raise ConfigError(
                f"matrix '{path}' has several {kind} that would be kept under '{twice[0]}'; rename one."
            )


def _slug(name: str) -> str:
    """A name as the name of a directory."""
    return re.sub(r'[^\w.+-]+', '_', name.strip())
