"""Running the cells of a comparison, several at once, and taking up what was interrupted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue

from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..io.errors import PointPEFTError
from .cells import CellRun
from .records import Records
from .training import StoppedError, train_cell, training_environment


class CellRunner:
    """Trains cells that have no record yet, one process per device at a time.

    Args:
        records (Records): Finished runs; new ones are added.
        metric (str): Name of the accuracy.
        tool (Path): ``tools/train.py``.
        devices (Sequence[str]): One entry per process: ``cpu``, or the number of a GPU.
    """

    def __init__(self, records: Records, *, metric: str, tool: Path, devices: Sequence[str]) -> None:
        self.records, self.metric, self.tool = records, metric, tool
        self.processes = len(devices)
        self.free: SimpleQueue[str] = SimpleQueue()
        for device in devices:
            self.free.put(device)
        self.stop, self.lock = threading.Event(), threading.Lock()

    def run(self, runs: Sequence[CellRun]) -> None:
        """Train what is missing.

        Raises:
            PointPEFTError: A training failed; the others that had started are stopped, and go on next time.
        """
        waiting = [run for run in runs if self.records.find(run) is None]
        if not waiting:
            return
        columns = (TextColumn('{task.description}'), BarColumn(), TextColumn('{task.completed}/{task.total}'))
        with Progress(*columns, TimeElapsedColumn()) as progress, ThreadPoolExecutor(self.processes) as pool:
            total = progress.add_task('runs', total=len(waiting))
            futures = [pool.submit(self._work, run, progress) for run in waiting]
            for future in futures:
                future.add_done_callback(lambda _: progress.advance(total))
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                _raise_first(done)
            except BaseException:
                self.stop.set()
                for future in futures:
                    future.cancel()
                raise

    def _work(self, run: CellRun, progress: Progress) -> None:
        """Train one cell and note its result."""
        device = self.free.get()
        task = progress.add_task(escape(run.cell.name), total=run.max_epochs)
        try:
            if run.result(self.metric) is None:  # else a run was finished, but its record not written
                train_cell(
                    run,
                    tool=self.tool,
                    environment=training_environment(device, self.processes),
                    stop=self.stop,
                    show=lambda epochs: progress.update(task, completed=epochs),
                )
        finally:
            progress.remove_task(task)
            self.free.put(device)
        result = run.result(self.metric)
        if result is None:
            raise PointPEFTError(
                f"{run.cell.name} ended without {self.metric!r} on the test set in '{run.work_dir / 'protocol.json'}'; "
                'give the config a test set, or the matrix another metric.'
            )
        with self.lock:
            self.records.add(run, result, device=_device_name(device))
        score = result['val'] if run.cell.candidate is not None else result['last']
        if score is not None:
            progress.console.print(f'{escape(run.cell.name)}: {score:.2f} after {run.max_epochs} epochs')


def _raise_first(done: set[Future]) -> None:
    """Raise what made the first run fail; runs that were merely stopped come after it."""
    errors = [error for future in done if (error := future.exception()) is not None]
    failures = [error for error in errors if not isinstance(error, StoppedError)] or errors
    if failures:
        raise failures[0]


def _device_name(device: str) -> str:
    """What a run was trained on, for its record."""
    if device == 'cpu':
        return 'cpu'
    import torch

    return torch.cuda.get_device_name(int(device))
