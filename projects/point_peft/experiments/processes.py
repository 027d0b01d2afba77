"""How data-parallel training on this machine goes with several processes: time, waiting, and what they exchange."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.distributed as torch_dist
from mmengine.model import convert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS
from rich.progress import track

from ..engine.config import OptionText, load_config
from ..engine.runtime.allocator import keep_freed_memory
from ..engine.runtime.distributed import DEFAULT_TIMEOUT, leave_processes, wrap_for_any_device
from ..io.errors import ConfigError, PointPEFTError
from .contestant import Conditions, Contestant
from .costs import MEGABYTE, Costs, median_and_spread, timed
from .growth import PROCESSES, Growth
from .operations import ExchangeCounter

NUM_WARMUP = 2
"""Steps of each kind before time counts; the second one is the first with the final buckets of gradients."""

PROGRAM = f'import sys; from {__name__} import work; work(sys.argv[1])'
"""What a process runs, told by its argument."""


@dataclass(frozen=True)
class ProcessGrowth(Growth):
    """Costs of a training step with several numbers of processes."""

    titles: ClassVar[Mapping[str, str]] = {
        'train_step_s': 'seconds of a step',
        'speedup': 'clouds per second, times those of one process',
        'wait_share': 'share of the step that is communication',
        'sent_mb': 'MB that each process sends',
        'exchanges': 'exchanges of a step',
    }
    drawn: ClassVar[Mapping[str, str]] = {
        'train_step_s': 'seconds of a training step',
        'speedup': 'clouds per second, times those of one process',
    }

    def exponents(self) -> dict[str, Costs]:
        """As of other sizes; a share has none."""
        found = super().exponents()
        return {name: {k: v for k, v in row.items() if k != 'wait_share'} for name, row in found.items()}


def measure_processes(
    configs: Sequence[str], conditions: Conditions, options: Mapping[str, str], counts: Sequence[int]
) -> ProcessGrowth:
    """Measure training steps of configs with several numbers of processes, at the same batch in each process.

    Args:
        configs (Sequence[str]): Config files or names.
        conditions (Conditions): On a CPU the threads are divided among the processes.
        options (Mapping): ``--cfg-options``, texts.
        counts (Sequence[int]): Numbers of processes, 1 among them.

    Raises:
        ConfigError: There is no GPU for each process, or nothing to compare with.
        PointPEFTError: A process failed.
    """
    counts = sorted(counts)
    if counts[0] != 1:
        raise ConfigError(f'--grow {PROCESSES} compares with one process; give 1, too.')
    if conditions.device.startswith('cuda'):
        if ':' in conditions.device:
            raise ConfigError(
                f'--grow {PROCESSES} gives every process a GPU of its own, from cuda:0 on; '
                f'give --device cuda, not {conditions.device}.'
            )
        if counts[-1] > (there := torch.cuda.device_count()):
            raise ConfigError(
                f'--grow {PROCESSES} {counts[-1]} needs as many GPUs, of which {there} are here; '
                'give fewer processes, or --device cpu.'
            )
    measured = [
        run_group(configs, conditions, options, count) for count in track(counts, description=PROCESSES)
    ]
    for count, rows in zip(counts, measured):
        for config, row in rows.items():
            row['speedup'] = count * measured[0][config]['train_step_s'] / row['train_step_s']
    return ProcessGrowth(
        PROCESSES, counts, {config: [rows[config] for rows in measured] for config in configs}
    )


def run_group(
    configs: Sequence[str], conditions: Conditions, options: Mapping[str, str], count: int
) -> dict[str, Costs]:
    """Measure configs with one number of processes, all of which have ended afterwards.

    Raises:
        PointPEFTError: One failed.
    """
    told = dict(
        configs=list(map(str, configs)), conditions=asdict(conditions), options=dict(options), count=count
    )
    with tempfile.TemporaryDirectory() as folder:
        with ExitStack() as stack:
            started = [
                stack.enter_context(_started(json.dumps({**told, 'rank': rank, 'folder': folder})))
                for rank in range(count)
            ]
            while True:
                ends = [process.poll() for process in started]
                codes = [end or 0 for end in ends]
                if any(codes) or None not in ends:
                    break  # when one has failed, the others are about to, for that reason
                time.sleep(0.05)
        if any(codes):
            raise _failure(Path(folder), codes)
        found: dict[str, Costs] = json.loads((Path(folder) / 'result').read_text())
    return found


@contextmanager
def _started(told: str) -> Iterator[subprocess.Popen]:
    """A process that does not outlive the block, nor this process: the end of its input is the end of it."""
    there = json.loads(told)
    log = Path(there['folder']) / f'{there["rank"]}.log'
    with log.open('w') as file:
        process = subprocess.Popen(
            [sys.executable, '-c', PROGRAM, told],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _failure(folder: Path, codes: Sequence[int]) -> PointPEFTError:
    """What the first process that failed says; one that a signal ended took others with it."""
    rank = min((code > 0, rank) for rank, code in enumerate(codes) if code)[1]
    said = folder / f'{rank}.said'
    if said.is_file():
        return PointPEFTError(said.read_text())
    lines = (folder / f'{rank}.log').read_text(errors='replace').strip().splitlines() or ['it said nothing']
    return PointPEFTError(
        f'steps of {len(codes)} processes could not be measured, process {rank} ended with {codes[rank]}: {lines[-1]}'
    )


def work(told: str) -> None:
    """Take part in a measurement as one of its processes.

    Args:
        told (str): JSON of the arguments of :func:`run_group`, of the rank of this process, and of a directory for
            what the processes say.
    """
    threading.Thread(target=_end_with_input, daemon=True).start()
    there = json.loads(told)
    rank, count, folder = there['rank'], there['count'], Path(there['folder'])
    conditions = Conditions(**there['conditions'])
    on_gpu = conditions.device.startswith('cuda')
    keep_freed_memory()
    if on_gpu:
        conditions = replace(conditions, device=f'cuda:{rank}')
        torch.cuda.set_device(rank)
    torch.set_num_threads(conditions.threads if on_gpu else max(1, conditions.threads // count))
    torch_dist.init_process_group(
        'nccl' if on_gpu else 'gloo',
        init_method=f'file://{folder / "meeting"}',  # no port that another program could take
        timeout=datetime.timedelta(seconds=DEFAULT_TIMEOUT),
        rank=rank,
        world_size=count,
    )
    options = {key: OptionText(text) for key, text in there['options'].items()}
    try:
        found = measure_steps(there['configs'], conditions, options)
    except PointPEFTError as error:
        (folder / f'{rank}.said').write_text(str(error))
        sys.exit(1)
    if rank == 0:
        (folder / 'result').write_text(json.dumps(found))
    leave_processes()


def measure_steps(
    configs: Sequence[str], conditions: Conditions, options: Mapping[str, str]
) -> dict[str, Costs]:
    """Measure training steps in every process of a group; those with and without communication alternate."""
    contestants = {config: _in_parallel(config, conditions, options) for config in configs}
    actions: dict[tuple[str, bool], Callable[[], None]] = {
        (config, synced): each.train_step if synced else partial(_step_alone, each)
        for config, each in contestants.items()
        for synced in (True, False)
    }
    samples: dict[tuple[str, bool], list[float]] = {key: [] for key in actions}
    for repeat in range(NUM_WARMUP + conditions.repeats):
        turn = 1 if repeat % 2 else -1  # no kind of step is always the one that finds warm caches
        for key in list(actions)[::turn]:
            torch_dist.barrier()
            seconds = timed(actions[key], conditions.device)
            if repeat >= NUM_WARMUP:
                samples[key].append(seconds)
    everyone: list[Any] = [None] * torch_dist.get_world_size()
    torch_dist.all_gather_object(everyone, samples)
    found = {}
    for config, each in contestants.items():
        with ExchangeCounter() as counter:
            each.train_step()
        synced, alone = (np.max([one[config, kind] for one in everyone], axis=0) for kind in (True, False))
        found[config] = {
            **median_and_spread(synced.tolist(), 'train_step'),
            'wait_share': float(np.median(1 - alone / synced)),
            'sent_mb': counter.sent / MEGABYTE,
            'exchanges': counter.exchanges,
            'trainable': each.parameters()['trainable'],
        }
    return found


def _in_parallel(config: str, conditions: Conditions, options: Mapping[str, str]) -> Contestant:
    """A model in the wrapper in which the Runner trains it."""
    contestant = Contestant(config, conditions, options)
    cfg = load_config(config, options)
    wrap_for_any_device(cfg)
    if cfg.get('sync_bn'):
        contestant.model = convert_sync_batchnorm(contestant.model, cfg.sync_bn)
    places = dict(module=contestant.model, device_ids=[torch_dist.get_rank()])
    contestant.model = MODEL_WRAPPERS.build(cfg.model_wrapper_cfg, default_args=places)
    return contestant


def _step_alone(contestant: Contestant) -> None:
    """A training step whose gradients stay in their process."""
    with contestant.model.no_sync():
        contestant.train_step()


def _end_with_input() -> None:
    """End this process when the one that started it is gone, whatever this one waits for."""
    os.read(0, 1)  # of the file, as a buffer that is being read would stop Python from ending
    os._exit(1)
