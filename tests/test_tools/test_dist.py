from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from toy_engine import write_pretrained
from toy_tools import run, write_config


def test_two_processes_without_gpu(tmp_path: Path) -> None:
    """Both end with the same weights and statistics, and testing what was saved gives the same accuracy."""
    pretrained = write_pretrained(tmp_path / 'pretrained.pth')
    config = write_config(
        tmp_path / 'c.py',
        pretrained,
        epochs=2,
        custom_hooks=[dict(type='StateDump', path=str(tmp_path / 'state_{rank}.pth'))],
    )
    code, output = run('bash', 'tools/dist_train.sh', config, 2)
    assert code == 0, output
    first, second = (torch.load(tmp_path / f'state_{rank}.pth') for rank in (0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    base = torch.load(pretrained)['state_dict']
    assert all(
        torch.equal(value, first[f'backbone.{name}']) for name, value in base.items() if name != 'linear.bias'
    )
    assert not torch.equal(first['backbone.linear.bias'], base['linear.bias'])

    last = json.loads((tmp_path / 'work' / 'protocol.json').read_text())['rows'][0]['test']
    code, output = run(
        'bash',
        'tools/dist_test.sh',
        config,
        tmp_path / 'work' / 'epoch_2.pth',
        2,
        '--out',
        tmp_path / 'o.json',
    )
    assert code == 0, output
    assert json.loads((tmp_path / 'o.json').read_text()) == last


def test_a_dying_process_ends_the_job(tmp_path: Path) -> None:
    config = write_config(tmp_path / 'c.py', epochs=50, custom_hooks=[dict(type='DyingRank', rank=1)])
    begin = time.monotonic()
    code, output = run('bash', 'tools/dist_train.sh', config, 2)
    assert code != 0
    assert time.monotonic() - begin < 60
    assert 'Signal 9 (SIGKILL)' in output


def test_user_error_of_all_processes(tmp_path: Path) -> None:
    config = write_config(tmp_path / 'c.py')
    code, output = run('bash', 'tools/dist_train.sh', config, 2, '--cfg-options', 'model.num_clases=4')
    assert code != 0
    assert "did you mean 'num_classes'?" in output
    assert '(process 0)' in output


def test_usage() -> None:
    for script in ('dist_train.sh', 'dist_test.sh', 'slurm_train.sh'):
        code, output = run('bash', f'tools/{script}')
        assert code != 0
        assert f'usage: {script}' in output


def test_slurm_command(tmp_path: Path) -> None:
    """What would be submitted, by a stand-in for srun that prints its arguments."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\necho "$@"\n')
    srun.chmod(0o755)
    code, output = run(
        'env',
        f'PATH={tmp_path}:/usr/bin:/bin',
        'GPUS=16',
        'bash',
        'tools/slurm_train.sh',
        'gpu',
        'job',
        'c.py',
        '--amp',
    )
    assert code == 0
    assert '-p gpu --job-name=job --gres=gpu:8 --ntasks=16 --ntasks-per-node=8' in output
    assert output.strip().endswith('train.py c.py --launcher slurm --amp')
    code, output = run(
        'env',
        f'PATH={tmp_path}:/usr/bin:/bin',
        'GPUS=4',
        'GPUS_PER_NODE=0',
        'bash',
        'tools/slurm_train.sh',
        'cpu',
        'job',
        'c.py',
    )
    assert code == 0
    assert '--gres' not in output
    assert '--ntasks=4 --ntasks-per-node=4' in output
