"""Reading a config with what the command line changes in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...io.errors import ConfigError
from .classes import count_classes
from .options import apply_option, is_new
from .paths import bind_data_root, expand_home
from .reading import read_config
from .required import check_whole
from .schedule import bound_schedulers, fit_schedule
from .sections import FORMER_HOOKS
from .variables import bound_last, check_options, check_variables
from .work_dir import default_work_dir

MMENGINE_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
"""Default hooks of MMEngine's runner, which adds them itself unless they are None."""


def load_config(
    path: str | Path,
    options: Mapping[str, Any] | None = None,
    work_dir: str | Path | None = None,
    *,
    notes: list[str] | None = None,
) -> Config:
    """Read a config file, or the config of a name.

    A ``data_root`` at the top, wherever it is set, holds for all data loaders that do not set another one; ``~`` is the
    home directory in all paths; schedules of the learning rate that end with the training do so for any length of it;
    a number of classes that the config leaves open (None) is counted in the directory of the data.

    Args:
        path (str | Path): The file, or the name METHOD/BACKBONE_TASK.
        options (Mapping | None): ``--cfg-options``; texts from the command line get their types from what is in the
            config, see :class:`~.options.OptionText`. ``data_root`` reaches every dataset.
        work_dir (str | Path | None): Directory for logs and checkpoints; by default that of the config, or
            ``work_dirs/<method>/<name of the config>``.
        notes (list[str] | None): Gets what matters to who trains only: a sentence for each warm-up that was shortened.

    Raises:
        MissingFileError: There is no such file or name; says similar ones.
        ConfigError: The file cannot be read, a variable or an option has no effect, an option leads to a place that
            nothing reads, or a section is of another kind.
        DatasetError: Classes are to be counted in a directory that has none.
    """
    cfg, files = read_config(path)
    options = dict(options or {})
    referred = bound_last(files)
    late = {key: options[key] for key in options if key.partition('.')[0] in referred}
    if late:  # before references are bound, with the types of what stands there
        cfg, files = read_config(path, {key: apply_option(cfg, key, value) for key, value in late.items()})
    check_variables(cfg, files)
    bind_data_root(cfg, files)
    bound = bound_schedulers(cfg, files)
    check_options(cfg, files, options)
    extended = {key.partition('.')[0] for key in options if '.' in key and is_new(cfg, key)}
    for key in sorted(
        options, key=lambda key: key != 'data_root'
    ):  # first, so that those of single loaders win
        if key not in late:
            apply_option(cfg, key, options[key])
    check_whole(cfg)
    said = fit_schedule(cfg, bound, options)
    if notes is not None:
        notes += said
    expand_home(cfg)
    count_classes(cfg)
    drop_absent_hooks(cfg)
    if extended:  # it may be a slip, and not every caller builds what it is in
        from .check import check_changed  # which needs MMEngine's runner

        check_changed(cfg, extended)
    if work_dir is not None:
        cfg.work_dir = str(Path(work_dir).expanduser())
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(default_work_dir(path))
    return cfg


def drop_absent_hooks(cfg: Config) -> None:
    """Remove the default hooks that a config sets to None; MMEngine does so for its own hooks only.

    Raises:
        ConfigError: There is one that is called otherwise by now.
    """
    hooks = cfg.get('default_hooks') or {}
    for name in FORMER_HOOKS.keys() & hooks.keys():
        raise ConfigError(
            f"default_hooks has no hook '{name}' any more; did you mean '{FORMER_HOOKS[name]}'?"
        )
    for name in [name for name, hook in hooks.items() if hook is None and name not in MMENGINE_HOOKS]:
        del hooks[name]
