"""Learning-rate schedules that last as long as the training."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from mmengine.config import Config

from ...io.errors import ConfigError
from .files import ConfigFile
from .references import lay_over

WARMUP_SHARE = 3
"""A warm-up that would last longer than the training gets one part of so many."""

LEAST_STEPS = 2
"""Steps of a warm-up: with a single one the learning rate would stay where it starts."""


def bound_schedulers(cfg: Config, files: Sequence[ConfigFile]) -> set[int]:
    """Schedulers that end with the training, as their file states them, and so follow another length of it.

    Args:
        cfg (Config): The config as it was read, without options.
        files (Sequence[ConfigFile]): The files it was read from, the config's own at the end.
    """
    owners = [number for number, file in enumerate(files) if 'param_scheduler' in file.values]
    own = not owners or owners[-1] == len(files) - 1
    stated = cfg if own else lay_over(files[: owners[-1] + 1])
    limit = _length(stated if stated.get('train_cfg') else cfg)
    return {
        index
        for index, entry in enumerate(schedulers(cfg))
        if entry.get('end', limit) == limit and limit is not None
    }


def fit_schedule(cfg: Config, bound: Collection[int], options: Collection[str] = ()) -> list[str]:
    """Let the bound schedulers end with the training, and shorten a warm-up that would not.

    Args:
        cfg (Config): The config; is changed.
        bound (Collection[int]): Schedulers to fit, see :func:`bound_schedulers`.
        options (Collection[str]): Keys that the command line sets; what it says of a scheduler stays.

    Returns:
        list[str]: What to tell the user of a training: a sentence for each warm-up that was shortened.
    """
    limit, entries = _length(cfg), schedulers(cfg)
    if not isinstance(limit, int) or limit < 1:
        return []
    stated = {tuple(key.split('.')[1:]) for key in options if key.partition('.')[0] == 'param_scheduler'}
    if () in stated:
        bound = ()
    for index, entry in enumerate(entries):
        if (
            index in bound
            and not {(str(index),), (str(index), 'end')} & stated
            and counts_epochs(entry) == by_epoch(cfg)
        ):
            old = entry.get('end', limit)
            entry['end'] = limit
            if isinstance(entry.get('T_max'), int) and (str(index), 'T_max') not in stated:
                entry['T_max'] = max(1, entry['T_max'] + limit - old)
    followers = [entry for entry in entries if entry.get('end') == limit and entry.get('begin', 0) >= limit]
    return [_shorten_warmup(cfg, begin, limit) for begin in {entry['begin'] for entry in followers}]


def check_schedule(cfg: Config) -> None:
    """Refuse a schedule that would never move the learning rate.

    Raises:
        ConfigError: It counts epochs in a training by iterations, or begins behind its end.
    """
    for index, entry in enumerate(schedulers(cfg)):
        place = f'param_scheduler[{index}]'
        if counts_epochs(entry) and not by_epoch(cfg):
            raise ConfigError(
                f'{place} counts epochs, but train_cfg counts iterations, so the learning rate would stay at its first '
                f'value; give {place} by_epoch=False, with begin and end in iterations.'
            )
        begin, end = entry.get('begin', 0), entry.get('end')
        if isinstance(end, (int, float)) and isinstance(begin, (int, float)) and begin >= end:
            raise ConfigError(
                f'{place} begins at {begin} and ends at {end}; give it an end behind its begin.'
            )
        single = entry.get('type') == 'LinearLR' and isinstance(end, int) and end - begin < LEAST_STEPS
        if single and not entry.get('convert_to_iter_based'):
            raise ConfigError(
                f'{place} has a single step, so the learning rate would stay where it starts; give it at least '
                f'{LEAST_STEPS}, or convert_to_iter_based=True.'
            )


def schedule_notes(cfg: Config) -> list[str]:
    """What a user may not expect of the schedule: one sentence each."""
    limit, entries = _length(cfg), schedulers(cfg)
    if not entries or not isinstance(limit, int):
        return []
    unit, notes = ('epoch' if by_epoch(cfg) else 'iteration'), []
    same_unit = [entry for entry in entries if counts_epochs(entry) == by_epoch(cfg)]
    last = max(
        (entry['end'] for entry in same_unit if isinstance(entry.get('end'), (int, float))), default=limit
    )
    if last > limit:
        notes.append(
            f'the learning-rate schedule is made for {last} {unit}s, but training ends after {limit}, before the '
            'learning rate has come down; leave out `end` in param_scheduler to let it follow'
        )
    elif last < limit:
        notes.append(
            f'the learning-rate schedule ends after {unit} {last}, and training goes on to {limit} with the last '
            'value; leave out `end` in param_scheduler to let it follow'
        )
    for entry in same_unit:
        beyond = [step for step in entry.get('milestones') or () if step >= limit]
        if beyond:
            notes.append(
                f'the learning rate is not lowered at {unit} {", ".join(map(str, beyond))} (milestones), as training '
                f'ends after {limit}'
            )
    return notes


def drop_short_warmups(scheduler: Any, epoch_length: int) -> tuple[Any, list[str]]:
    """Take away warm-ups of less than two steps: MMEngine would leave the learning rate where they start.

    Only the data loader tells how many steps a part of an epoch has, so this is done last.

    Args:
        scheduler: ``param_scheduler`` of a config; what is no list of dicts is given back as it is.
        epoch_length (int): Steps in an epoch.

    Returns:
        tuple: The schedule, and a sentence for each warm-up that it has no longer.
    """
    if not isinstance(scheduler, (list, tuple)):
        return scheduler, []
    short = [
        entry
        for entry in scheduler
        if isinstance(entry, dict)
        and entry.get('type') == 'LinearLR'
        and entry.get('convert_to_iter_based')
        and entry.get('begin', 0) == 0
        and isinstance(entry.get('end'), (int, float))
        and int(entry['end'] * epoch_length) < LEAST_STEPS
    ]
    notes = [
        f'the warm-up is left out: {entry["end"]:g} epochs are less than {LEAST_STEPS} steps'
        for entry in short
    ]
    return [entry for entry in scheduler if entry not in short], notes


def schedulers(cfg: Config) -> list[dict[str, Any]]:
    """The schedulers of a config that are dicts; those of several optimizers are left to MMEngine."""
    found = cfg.get('param_scheduler')
    entries = found if isinstance(found, (list, tuple)) else [found]
    return [entry for entry in entries if isinstance(entry, dict) and 'type' in entry]


def by_epoch(cfg: Config) -> bool:
    """Whether a training counts epochs."""
    loop = cfg.get('train_cfg') or {}
    return loop.get('type') != 'IterBasedTrainLoop' and loop.get('by_epoch', 'max_iters' not in loop)


def counts_epochs(entry: dict[str, Any]) -> bool:
    """Whether a scheduler's ``begin`` and ``end`` are epochs."""
    return bool(entry.get('by_epoch', True))


def _length(cfg: Config) -> Any:
    """Epochs or iterations of a training; None if it does not say."""
    return (cfg.get('train_cfg') or {}).get('max_epochs' if by_epoch(cfg) else 'max_iters')


def _shorten_warmup(cfg: Config, old: int, limit: int) -> str:
    """Make room in a training of ``limit`` steps for what follows a warm-up that ended at ``old``, and say so."""
    entries = schedulers(cfg)
    warmups = [entry for entry in entries if entry.get('end') == old and entry.get('begin', 0) < old]
    by_step = all(entry.get('convert_to_iter_based') for entry in warmups)
    new = limit // WARMUP_SHARE
    new = max(new, 1) if by_step and limit > 1 else new if new >= LEAST_STEPS else 0
    if not new:
        cfg.param_scheduler = [entry for entry in entries if entry not in warmups]
    for entry in schedulers(cfg):
        if entry.get('begin', 0) == old:
            if isinstance(entry.get('T_max'), int):
                entry['T_max'] = limit - new
            entry['begin'] = new
        elif entry.get('end') == old:
            entry['end'] = new
    unit = 'epochs' if by_epoch(cfg) else 'iterations'
    if not warmups:
        return (
            f'the learning rate comes down from {unit[:-1]} {new} on, not from {old}, as training has {limit}'
        )
    return f'the warm-up of {old} {unit} is shortened to {new}, as training has {limit}'
