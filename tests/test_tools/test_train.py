from __future__ import annotations

import json
import re
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from toy_tools import run_python, start, write_config

from point_peft.io.weights import load_checkpoint_file

KILL_WHILE_SAVING = """
import os, runpy, signal, sys
replace = os.replace
def replace_or_die(source, target, *args, **kwargs):
    if str(target).endswith({name!r}):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target, *args, **kwargs)
os.replace = replace_or_die
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def test_train_then_test_then_join(tmp_path: Path, pretrained: Path) -> None:
    config, work = write_config(tmp_path / 'c.py', pretrained, epochs=2), tmp_path / 'work'
    code, output = run_python(
        'tools/train.py', config, '--cfg-options', 'train_cfg.max_epochs=1', '--seed', 3
    )
    assert code == 0, output
    assert 'trainable params: 247 || all params: 327 || trainable%: 75.5352' in output
    assert re.search(r'^last +1 ', output, re.MULTILINE)
    assert 'best on test (as papers report' in output
    assert 'Failed to search registry' not in output
    last = json.loads((work / 'protocol.json').read_text())['rows'][0]['test']

    code, output = run_python('tools/test.py', config, work / 'epoch_1.pth', '--out', tmp_path / 'out.json')
    assert code == 0, output
    assert json.loads((tmp_path / 'out.json').read_text()) == last

    full = tmp_path / 'full.safetensors'
    code, output = run_python('tools/model_converters/join_adapter.py', config, work / 'epoch_1.pth', full)
    assert code == 0, output
    state = load_checkpoint_file(full)
    assert torch.equal(
        state['state_dict']['backbone.linear.weight'],
        load_checkpoint_file(pretrained)['state_dict']['linear.weight'],
    )
    assert state['meta']['point_peft']['format'] == 'full'


@pytest.mark.parametrize('name', ['epoch_2.pth', 'best_overall_accuracy_epoch_1.pth'])
def test_kill_while_saving_then_resume(tmp_path: Path, pretrained: Path, name: str) -> None:
    config, work = (
        write_config(
            tmp_path / 'c.py', pretrained, epochs=3, **{'default_hooks.checkpoint.max_keep_ckpts': 1}
        ),
        tmp_path / 'work',
    )
    code, output = run_python('-c', KILL_WHILE_SAVING.format(name=name), 'tools/train.py', config)
    assert code == -signal.SIGKILL, output
    assert len(list(work.glob('.*.partial'))) == 1
    assert (work / 'last_checkpoint').read_text().endswith('epoch_1.pth')

    code, output = run_python('tools/train.py', config, '--resume', 'auto')
    assert code == 0, output
    assert 'resumed epoch: 1, iter: 4' in output
    assert not list(work.glob('.*.partial'))
    whole = write_config(tmp_path / 'whole.py', pretrained, epochs=3)
    code, output = run_python('tools/train.py', whole, '--work-dir', tmp_path / 'whole')
    assert code == 0, output
    killed, uninterrupted = (
        load_checkpoint_file(path / 'epoch_3.pth')['state_dict'] for path in (work, tmp_path / 'whole')
    )
    assert all(torch.equal(killed[name], value) for name, value in uninterrupted.items())
    histories = [
        json.loads((path / 'protocol.json').read_text())['history'] for path in (work, tmp_path / 'whole')
    ]
    assert histories[0] == histories[1]


def test_truncated_last_file_costs_one_warning(tmp_path: Path, pretrained: Path) -> None:
    config, work = write_config(tmp_path / 'c.py', pretrained, epochs=2), tmp_path / 'work'
    assert run_python('tools/train.py', config)[0] == 0
    content = (work / 'epoch_2.pth').read_bytes()
    (work / 'epoch_2.pth').write_bytes(content[:-100])
    code, output = run_python('tools/train.py', config, '--resume')
    assert code == 0, output
    assert output.count('not resuming from epoch_2.pth') == 1
    assert 'resumed epoch: 1' in output
    # The same seed, so the repeated epoch gives the same weights.
    assert load_checkpoint_file(work / 'epoch_2.pth')['state_dict'].keys()


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_end_training_cleanly(tmp_path: Path, number: int, code: int) -> None:
    config = write_config(tmp_path / 'c.py', epochs=100000)
    process = start(sys.executable, 'tools/train.py', config)
    deadline = time.monotonic() + 60
    while not (tmp_path / 'work' / 'last_checkpoint').exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert '--resume auto goes on from the last checkpoint' in output
    assert 'Traceback' not in output
    assert not list((tmp_path / 'work').glob('.*.partial'))
    load_checkpoint_file((tmp_path / 'work' / 'last_checkpoint').read_text())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--cfg-options', 'model.num_clases=4'], "did you mean 'num_classes'?"),
        (['--cfg-options', 'model.type=ToyModle'], "did you mean 'ToyModel'"),
        (['--cfg-options', 'train_dataloader.dataset.data_root=/nowhere'], "'/nowhere'"),
        (['--resume', 'none.pth'], "checkpoint 'none.pth' (load_from) does not exist"),
        (['--amp', '--amp-dtype', 'float16', '--device', 'cpu'], 'float16 needs a GPU'),
        (['--amp-dtype', 'bfloat16'], 'give --amp too'),
        (['--launcher', 'pytorch'], 'tools/dist_train.sh'),
    ],
)
def test_user_errors_are_one_sentence(tmp_path: Path, arguments: list[str], message: str) -> None:
    config = write_config(tmp_path / 'c.py')
    begin = time.monotonic()
    code, output = run_python('tools/train.py', config, *arguments)
    assert code == 1
    assert message in output
    assert 'Traceback' not in output
    assert output.strip().splitlines()[-1].startswith('error: ')
    assert not (tmp_path / 'work').exists()  # before anything was built
    assert time.monotonic() - begin < 30


def test_flags_reach_the_run(tmp_path: Path) -> None:
    config = write_config(tmp_path / 'c.py', epochs=1)
    code, output = run_python(
        'tools/train.py',
        config,
        '--no-validate',
        '--auto-scale-lr',
        '--work-dir',
        tmp_path / 'other',
        '--cfg-options',
        f'data_root={tmp_path}',
        'train_dataloader.dataset.data_root=',
    )
    assert code == 0, output
    assert 'Epoch(val)' not in output
    assert 'Epoch(test)' not in output
    assert (tmp_path / 'other' / 'epoch_1.pth').exists()
    assert 'LR has been set' in output or 'lr' in output


def test_config_can_be_printed(tmp_path: Path) -> None:
    code, output = run_python(
        'tools/misc/print_config.py', write_config(tmp_path / 'c.py'), '--cfg-options', 'randomness.seed=9'
    )
    assert code == 0
    assert 'randomness = dict(seed=9)' in output


def test_too_few_samples_for_a_batch(tmp_path: Path) -> None:
    """One sentence before anything is trained, not an assertion of MMEngine."""
    changes = {'train_dataloader.dataset.size': 5, 'train_dataloader.drop_last': True}
    code, output = run_python('tools/train.py', write_config(tmp_path / 'c.py', **changes))
    assert code == 1
    assert 'error: the training set has 5 samples, which do not fill a batch of 6' in output
    assert 'Traceback' not in output
