"""One training process of a comparison."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from ..io.atomic import write_atomically
from ..io.errors import ConfigError, PointPEFTError
from .cells import CellRun

EPOCH = re.compile(r'Epoch\(train\) +\[(\d+)\]')
"""Where a training logs which epoch it is in."""

TAIL = 12
"""Lines of a failed training that are shown."""

WAIT_PASSIVELY = {'OMP_WAIT_POLICY': 'PASSIVE'}
"""OpenMP's threads sleep while they wait, so that other programs on the same cores cost less."""

STOP_SECONDS = 30
"""How long a training gets to end after it was asked to."""


class StoppedError(PointPEFTError):
    """A training was stopped, or not started, because another failed or the user interrupted."""


def train_cell(
    run: CellRun,
    *,
    tool: Path,
    environment: Mapping[str, str],
    stop: threading.Event,
    show: Callable[[int], None],
) -> None:
    """Train a cell in a process of its own, from its last checkpoint if there is one.

    Args:
        run (CellRun): The cell.
        tool (Path): ``tools/train.py``.
        environment (Mapping): Environment of the process; see :func:`training_environment`.
        stop (threading.Event): When set, the process is asked to end.
        show (Callable): Told how many epochs are done.

    Raises:
        StoppedError: ``stop`` was set.
        PointPEFTError: The process failed; with its last lines.
    """
    if stop.is_set():
        raise StoppedError(f'{run.cell.name} was not started.')
    write_atomically(run.config_file, run.config_text.encode())
    device = 'cuda' if environment['CUDA_VISIBLE_DEVICES'] else 'cpu'
    command = [sys.executable, str(tool), str(run.config_file), '--work-dir', str(run.work_dir)]
    command += ['--resume', 'auto', '--device', device]
    log = run.directory / 'log.txt'
    with (
        log.open('w', buffering=1) as file,
        subprocess.Popen(
            command,
            env=environment,
            text=True,
            errors='replace',
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt from the keyboard is passed on by the watcher, once
        ) as process,
    ):
        threading.Thread(target=_stop_with, args=(process, stop), daemon=True).start()
        for line in process.stdout or ():
            file.write(line)
            found = EPOCH.search(line)
            if found:
                show(int(found[1]) - 1)
    if process.returncode:
        if stop.is_set():
            raise StoppedError(
                f'{run.cell.name} was stopped; the same command goes on from its last checkpoint.'
            )
        tail = ''.join(log.read_text(errors='replace').splitlines(keepends=True)[-TAIL:])
        raise PointPEFTError(
            f'{run.cell.name} stopped with exit code {process.returncode}; the last lines of {log} are\n{tail}'
            'The same command goes on from here.'
        )


def find_devices(wanted: Sequence[str] | None = None) -> list[str]:
    """Devices to train on, as :class:`CellRunner` takes them.

    Args:
        wanted (Sequence[str] | None): ``cpu``, or numbers of GPUs; by default all GPUs, else the CPU.

    Raises:
        ConfigError: A device is not there.
    """
    available = [str(index) for index in range(torch.cuda.device_count())]
    for device in wanted or ():
        if device != 'cpu' and device not in available:
            known = ' or '.join(['cpu', *available])
            raise ConfigError(f'--devices {device} is not there; give {known}.')
    return list(wanted or available or ['cpu'])


def training_environment(device: str, processes: int) -> dict[str, str]:
    """Environment of a training.

    Args:
        device (str): ``cpu``, or the number of a GPU.
        processes (int): Trainings that share the cores.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    threads = str(max(1, cores // processes))
    chosen = {'CUDA_VISIBLE_DEVICES': '' if device == 'cpu' else device, 'PYTHONUNBUFFERED': '1'}
    return {'OMP_NUM_THREADS': threads, 'MKL_NUM_THREADS': threads, **WAIT_PASSIVELY, **os.environ, **chosen}


def _stop_with(process: subprocess.Popen, stop: threading.Event) -> None:
    """End a training when the comparison is stopped."""
    while process.poll() is None:
        if stop.wait(0.5):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            return
