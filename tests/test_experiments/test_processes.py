"""Data-parallel training with several processes: what is measured, and that no process stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from point_peft.experiments import processes as module
from point_peft.experiments.contestant import Conditions
from point_peft.experiments.operations import ExchangeCounter
from point_peft.experiments.processes import ProcessGrowth, measure_processes, run_group
from point_peft.io.errors import ConfigError, PointPEFTError

FULL, PROBE = 'full/pointmae_mini_shapes', 'linear_probe/pointmae_mini_shapes'
SMALL = Conditions(batch_size=2, num_points=128, bank_size=16, threads=1, repeats=2)
TINY = {
    f'model.backbone.{name}': value
    for name, value in dict(init_cfg='None', embed_dim='24', depth='2', num_heads='2', num_groups='8').items()
}
READS = 'import json, os, sys, time; told = json.loads(sys.argv[1]); '


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Start of a program in place of a measurement; it notes the number of its process."""
    return f'{READS}open({str(tmp_path)!r} + "/{{}}".format(os.getpid()), "w"); '


def alive(file: Path) -> bool:
    """Whether the process that left this note runs; one that nobody has asked how it ended does not."""
    stat = Path('/proc') / file.name / 'stat'
    try:
        return stat.read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def test_two_processes() -> None:
    """The gradients of what is trained travel once, counted; time is that of the group, with a part of it waited."""
    found = run_group([FULL, PROBE], SMALL, TINY, 2)
    for row in found.values():
        assert row['sent_mb'] * 2**20 == 4 * row['trainable'] * 2 * (2 - 1) / 2
        assert row['exchanges'] >= 1 and row['train_step_s'] > 0 and row['wait_share'] < 1
    assert found[FULL]['trainable'] > 50 * found[PROBE]['trainable'] > 0


def test_what_is_counted(tmp_path: Path) -> None:
    """Each exchange by what a ring sends of it, those of batch norms and losses too; other operations are none."""
    dist = torch.distributed
    dist.init_process_group('gloo', init_method=f'file://{tmp_path / "store"}', rank=0, world_size=1)
    try:
        value = torch.ones(1000)
        with pytest.MonkeyPatch.context() as patch, ExchangeCounter() as counter:
            patch.setattr(dist, 'get_world_size', lambda group=None: 4)
            dist.all_reduce(value + 1)
            assert (counter.sent, counter.exchanges) == (2 * 3 / 4 * 4000, 1)
            dist.all_gather([torch.empty(1000)], value)
            dist.broadcast(value, 0)
            assert (counter.sent, counter.exchanges) == (4 * 3 / 4 * 4000, 3)
            with pytest.raises(PointPEFTError, match='exchanges by barrier'):
                dist.barrier()
    finally:
        dist.destroy_process_group()


def test_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clouds per second are compared with those of one process; a share has no exponent."""

    def group(configs: list[str], conditions: Conditions, options: dict, count: int) -> dict:
        return {
            'a': dict(
                train_step_s=1 + count, wait_share=0.1 * count, sent_mb=count - 1, exchanges=2, trainable=5
            )
        }

    monkeypatch.setattr(module, 'run_group', group)
    found = measure_processes(['a'], SMALL, {}, [4, 1])
    assert isinstance(found, ProcessGrowth) and found.values == [1, 4]
    assert [row['speedup'] for row in found.costs['a']] == [1, pytest.approx(4 * 2 / 5)]
    assert set(found.exponents()['a']) == {'train_step_s', 'speedup', 'exchanges'}
    lines = found.table().splitlines()
    assert (
        lines[2].startswith('| processes | seconds of a step |')
        and lines[5] == '| 4 | 5 | 1.6 | 0.4 | 3 | 2 |'
    )
    assert len(found.picture().axes) == 2


@pytest.mark.parametrize(
    'device, counts, said',
    [
        ('cpu', [2, 4], 'compares with one process; give 1, too.'),
        ('cuda', [1, 8], 'processes 8 needs as many GPUs, of which 2 are here; give fewer processes, or'),
        ('cuda:1', [1, 2], 'give --device cuda, not cuda:1.'),
    ],
)
def test_what_cannot_be(device: str, counts: list[int], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before a process starts."""
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    with pytest.raises(ConfigError, match=said):
        measure_processes([FULL], Conditions(device=device), {}, counts)


def test_an_error_of_the_user() -> None:
    """Its sentence alone, as if there were one process."""
    with pytest.raises(
        PointPEFTError, match=r'^full/\w+: costs are measured on classification and detection'
    ):
        run_group(['full/pointmae_mini_shapes_part'], SMALL, TINY, 1)


def test_a_process_that_dies(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names it and what it said last; the other is not waited for, nor left behind."""
    fails = 'print("first\\nno memory", flush=True), os._exit(7)'
    monkeypatch.setattr(module, 'PROGRAM', f'{program} {fails} if told["rank"] else time.sleep(100)')
    with pytest.raises(PointPEFTError, match='of 2 processes .* process 1 ended with 7: no memory'):
        run_group([FULL], SMALL, {}, 2)
    assert not any(map(alive, tmp_path.iterdir()))


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_measurement(program: str, number: signal.Signals, tmp_path: Path) -> None:
    """Whether it is interrupted or killed, which closes what they read."""
    waits = f'{program}os.read(0, 1)'
    parent = f'from {module.__name__} import *; import {module.__name__} as m; m.PROGRAM = {waits!r}'
    with subprocess.Popen(
        [sys.executable, '-c', f'{parent}; run_group([], Conditions(), {{}}, 2)']
    ) as process:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.1)
        os.kill(process.pid, number)
        process.wait()
    until = time.monotonic() + 20
    while any(map(alive, tmp_path.iterdir())):
        assert time.monotonic() < until
        time.sleep(0.1)
