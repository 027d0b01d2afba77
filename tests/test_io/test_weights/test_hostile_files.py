"""Files that are not what they say: mutated, of the wrong types, endless, or no files at all."""

from __future__ import annotations

import copy
import json
import os
import random
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from safetensors.torch import save_file
from toy_engine import ToyModel

from point_peft.engine.checkpoint import load_weights
from point_peft.engine.checkpoint.resuming import check_resumable
from point_peft.io.errors import CheckpointError
from point_peft.io.weights import from_plain, load_checkpoint_file, to_plain

JUNK: list[Any] = [
    None, True, -1, 3, 10**30, 2.5, float('nan'), '', 'text', b'bytes', [], [1, 'a'], (), {}, {'a': 1}, {3: 4},
    {'__kind__': 'HistoryBuffer'}, {'__kind__': 'ndarray', 'data': 3}, {'__kind__': 'set', 'items': [[]]},
    torch.ones(2), torch.tensor(float('nan')), torch.ones(3, dtype=torch.int64), torch.zeros(0),
]  # fmt: skip


def valid_content() -> dict[str, Any]:
    """What a training of the toy saves, in plain types."""
    model = ToyModel()
    hub = MessageHub('hostile')
    hub.update_scalar('train/loss', 0.5)
    hub.update_info('protocol_history', [dict(epoch=1, val=dict(overall_accuracy=50.0), test={})])
    hub.update_info('best_ckpt', 'best.pth')
    meta = dict(
        epoch=1,
        iter=4,
        seed=0,
        cfg="model = dict(type='ToyModel')",
        dataset_meta=dict(classes=('a', 'b', 'c'), class_parts={'a': (0, 1)}, parts=('x', 'y')),
        point_peft=dict(format='full', base_hash=None, bank_hash=None),
    )
    optimizer = torch.optim.AdamW(model.head.parameters())
    model.head[1].weight.sum().backward()
    optimizer.step()
    content = dict(
        state_dict=model.state_dict(),
        meta=meta,
        message_hub=hub.state_dict(),
        optimizer=optimizer.state_dict(),
        param_schedulers=[dict(last_step=3)],
    )
    return {key: to_plain(value, key) for key, value in content.items()}


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Every place in nested dicts and lists."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for key, item in items for place in places(item, (*path, key))]


def put(content: Any, path: tuple, value: Any) -> None:
    """Replace what is at a place."""
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value


def use(path: Path) -> None:
    """All that the tools and the runner do with a file."""
    content = load_checkpoint_file(path)
    load_weights(ToyModel(), path)
    check_resumable(content, None, str(path))
    MessageHub('hostile').load_state_dict(from_plain(content['message_hub']))
    classes = (from_plain(content['meta']).get('dataset_meta') or {}).get('classes') or ()
    assert all(isinstance(name, str) for name in classes)
    assert type(content['meta']['epoch']) is int


def test_the_valid_file_is_read(tmp_path: Path) -> None:
    torch.save(valid_content(), tmp_path / 'a.pth')
    use(tmp_path / 'a.pth')
    assert isinstance(from_plain(load_checkpoint_file(tmp_path / 'a.pth')['message_hub'])['log_scalars']['train/loss'],
                      HistoryBuffer)  # fmt: skip


def test_wrong_types_anywhere(tmp_path: Path) -> None:
    """Seeded: something else in every place, key or value; used without harm, or refused in one sentence by name."""
    choose, valid = random.Random(0), valid_content()
    refused, path = 0, tmp_path / 'mutant.pth'
    for place in [place for place in places(valid) if place] * 2:
        content = copy.deepcopy(valid)
        put(content, place, copy.deepcopy(choose.choice(JUNK)))
        torch.save(content, path)
        try:
            use(path)
        except CheckpointError as error:
            refused += 1
            assert 'mutant.pth' in str(error) and '\n' not in str(error), error
    assert refused > 30


@pytest.mark.parametrize(
    ('section', 'value', 'message'),
    [
        ('meta', [1, 2], r'has \[1, 2\] \(list\) as meta, which should be a dict'),
        ('state_dict', [torch.ones(1)], 'as state_dict, which should be a dict of tensors'),
        ('state_dict', {3: torch.ones(1)}, 'has the name 3 in state_dict, which is no text'),
        ('meta', dict(epoch='one', iter=3), 'as meta.epoch, which should be a whole number from 0'),
        (
            'meta',
            dict(dataset_meta=dict(classes=(1, 2))),
            'as meta.dataset_meta.classes, which should be a list of names',
        ),
        (
            'meta',
            dict(point_peft=dict(format=7)),
            "has 7 .int. as meta.point_peft.format, which should be 'delta' or",
        ),
        ('message_hub', 'garbage', 'as message_hub, which should be a dict'),
        (
            'message_hub',
            dict(log_scalars=dict(a={'__kind__': 'HistoryBuffer'})),
            'in message_hub that cannot be restored',
        ),
        ('optimizer', dict(param_groups=3), 'as optimizer, which should be the state of an optimizer'),
    ],
)
def test_wrong_types_by_name(tmp_path: Path, section: str, value: Any, message: str) -> None:
    torch.save({**valid_content(), section: value}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=rf'a\.pth .*{message}'):
        load_checkpoint_file(tmp_path / 'a.pth')


def test_a_state_that_is_no_tensor(tmp_path: Path) -> None:
    content = valid_content()
    content['state_dict']['head.1.bias'] = [1.0, 2.0, 3.0]
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(
        CheckpointError, match=r'a\.pth has a list as head\.1\.bias, which should be a tensor'
    ):
        load_weights(ToyModel(), tmp_path / 'a.pth')


def test_mutated_safetensors(tmp_path: Path) -> None:
    """Seeded: headers rewritten in JSON, and metadata of all kinds."""
    plain, path = tmp_path / 'plain.safetensors', tmp_path / 'mutant.safetensors'
    save_file(dict(a=torch.ones(2, 3), b=torch.ones(4)), plain, metadata=dict(meta='1'))
    raw = plain.read_bytes()
    length = int.from_bytes(raw[:8], 'little')
    header, body = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    choose = random.Random(0)
    values = [
        None,
        -1,
        10**30,
        'F32',
        'F4',
        [],
        [0],
        [0, 10**18],
        [2**62, 2**62],
        {},
        '[' * 9999,
        '9' * 9999,
        1e400,
    ]
    refused = 0
    for place in [place for place in places(header) if place] * 12:
        mutant = copy.deepcopy(header)
        put(mutant, place, choose.choice(values))
        text = json.dumps(mutant).encode()
        path.write_bytes(len(text).to_bytes(8, 'little') + text + body)
        try:
            load_checkpoint_file(path)
        except CheckpointError as error:
            refused += 1
            assert 'mutant.safetensors' in str(error) and '\n' not in str(error)
    assert refused > 50


def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory, a pipe, a socket and a device; nothing waits for a writer."""
    (tmp_path / 'epoch_9.pth').mkdir()
    os.mkfifo(tmp_path / 'pipe.pth')
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the name of a socket must be short
        server.bind('socket.pth')
        for name, message in (
            ('epoch_9.pth', 'is a directory'),
            ('pipe.pth', 'is a pipe, a socket or a device'),
            ('socket.pth', 'is a pipe, a socket or a device'),
            ('/dev/zero', 'is a pipe, a socket or a device'),
            ('a' * 5000, 'does not exist .File name too long'),
            ('a\0b', 'does not exist'),
        ):
            with pytest.raises(CheckpointError if 'is a' in message else FileNotFoundError, match=message):
                load_checkpoint_file(name)


def test_values_of_numpy_are_read(tmp_path: Path) -> None:
    torch.save(dict(a=torch.ones(1), accuracy=np.float64(0.5)), tmp_path / 'a.pth')
    assert load_checkpoint_file(tmp_path / 'a.pth')['accuracy'] == 0.5
