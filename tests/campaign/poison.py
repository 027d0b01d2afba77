"""Files that are damaged or made to do harm, given to the tools that a user calls."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from point_peft.io.weights import load_checkpoint_file

from .children import Child, run
from .scene import EPOCHS, Scene, best, check_usable, one_sentence

LAST = f'epoch_{EPOCHS}.pth'


class Exploit:
    """A pickle that makes a file when it is opened."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple[Callable, tuple[str]]:
        return os.mkdir, (self.trace,)


def _exploit(path: Path, rng: random.Random) -> None:
    trace = path.parent / 'executed'
    content = load_checkpoint_file(path)
    where = rng.choice(['whole', 'state_dict', 'meta'])
    torch.save(Exploit(trace) if where == 'whole' else {**content, where: Exploit(trace)}, path)


def _not_finite(path: Path, rng: random.Random) -> None:
    content = _without_hash(load_checkpoint_file(path))
    floats = [
        value for value in content['state_dict'].values() if value.is_floating_point() and value.numel()
    ]
    rng.choice(floats).view(-1)[0] = float(rng.choice(['nan', 'inf', '-inf']))
    torch.save(content, path)


def _flipped_bits(path: Path, rng: random.Random) -> None:
    """Within the numbers of the weights, where nothing but a hash can notice it."""
    state = load_checkpoint_file(path)['state_dict']
    content = bytearray(path.read_bytes())
    names = [name for name, value in state.items() if value.is_floating_point() and value.numel() > 16]
    needle = state[rng.choice(names)].contiguous().numpy().tobytes()
    place = bytes(content).find(needle)
    assert place >= 0
    content[place + rng.randrange(len(needle))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _truncated(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size))


def _noise(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    begin = rng.randrange(len(content))
    content[begin : begin + 4096] = rng.randbytes(len(content[begin : begin + 4096]))
    path.write_bytes(content)


def _replaced(make: Callable[[Path], Any]) -> Callable[[Path, random.Random], None]:
    def damage(path: Path, rng: random.Random) -> None:
        path.unlink()
        make(path)

    return damage


def _wrong_types(path: Path, rng: random.Random) -> None:
    content = _without_hash(load_checkpoint_file(path))
    key = rng.choice(['state_dict', 'meta', 'message_hub', 'epoch', 'dataset_meta', 'runtime_info'])
    value = rng.choice([3, 'text', [1], None, {1: 2}])
    if key in content:
        content[key] = value
    elif key == 'runtime_info':
        content['message_hub'][key] = value
    else:
        content['meta'][key] = value
    torch.save(content, path)


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    'code in a pickle': _exploit,
    'NaN or infinity': _not_finite,
    'flipped bits': _flipped_bits,
    'truncated': _truncated,
    'noise': _noise,
    'empty': _replaced(lambda path: path.touch()),
    'text': _replaced(lambda path: path.write_text('<html>404</html>')),
    'directory': _replaced(lambda path: path.mkdir()),
    'pipe': _replaced(os.mkfifo),
    'gone': _replaced(lambda path: None),
    'wrong types': _wrong_types,
}

HARMLESS = ('noise', 'wrong types')
"""Damages that may hit what nobody reads; they need not be noticed, but must not change the result."""


def checkpoint_given_to_a_tool(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """The tool refuses it in a sentence, quickly, and no code in it runs."""
    damage, tool = rng.choice(list(DAMAGES)), rng.choice(list(TOOLS))
    shutil.copytree(scene.reference, work_dir)
    file = work_dir / LAST if tool == 'train.py --resume' else best(work_dir)
    DAMAGES[damage](file, rng)
    child = TOOLS[tool](scene, work_dir, file)
    place = f'{damage} in {tool}'
    assert not (work_dir / 'executed').exists(), f'{place}: code was run'
    if child.code == 0 and damage in HARMLESS:
        return
    assert child.code == 1, f'{place}: exit code {child.code}: {child.tail()}'
    try:
        one_sentence(child)
    except AssertionError as error:
        raise AssertionError(f'{place}: {error}') from error


def newest_checkpoint(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """The newest file of a run is damaged; the run goes on from the one before, to the same end."""
    damage = rng.choice([name for name in DAMAGES if name not in ('directory', *HARMLESS)])
    shutil.copytree(scene.reference, work_dir)
    DAMAGES[damage](work_dir / LAST, rng)
    (work_dir / 'last_checkpoint').write_text(str(work_dir / LAST))
    try:
        scene.resume(work_dir)
        assert not (work_dir / 'executed').exists(), 'code was run'
        scene.check_weights(work_dir)
    except AssertionError as error:
        raise AssertionError(f'{damage}: {error}') from error


def names_of_files_elsewhere(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """What a checkpoint and ``last_checkpoint`` name outside of the work directory stays as it is."""
    elsewhere = work_dir.with_suffix('.elsewhere')
    shutil.copytree(scene.reference, elsewhere)
    shutil.copytree(scene.reference, work_dir)
    (work_dir / LAST).unlink()
    before = {path: path.read_bytes() for path in elsewhere.rglob('*') if path.is_file()}
    file = work_dir / f'epoch_{EPOCHS - 1}.pth'
    content = _without_hash(load_checkpoint_file(file))
    info = content['message_hub']['runtime_info']
    info['best_ckpt'] = str(
        rng.choice([best(elsewhere), elsewhere / LAST, f'{work_dir}/../{elsewhere.name}/{LAST}'])
    )
    info['best_score'] = rng.choice([0.0, 1e9, float('nan'), 'much'])
    info['keep_ckpt_ids'] = rng.choice([[f'1/../../{elsewhere.name}/epoch_3'], 'abc', [1, 2], list(range(9))])
    torch.save(content, file)
    lie = rng.choice([b'', str(elsewhere / LAST).encode(), LAST.encode(), b'x' * 100_000, b'\xff\0', b'/'])
    (work_dir / 'last_checkpoint').write_bytes(lie)
    child = scene.train(work_dir, '--resume', 'auto')
    if child.wait() != 0:
        one_sentence(child)
    else:
        scene.check_weights(work_dir)
    assert {path: path.read_bytes() for path in before} == before, 'a file elsewhere was changed or deleted'


def memory_bank(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """A damaged bank is built again or refused in a sentence, in training and in a test."""
    damage = rng.choice(list(DAMAGES_OF_BANKS))
    shutil.copytree(scene.reference, work_dir)
    DAMAGES_OF_BANKS[damage](work_dir / 'memory_bank.safetensors', rng)
    tests = rng.random() < 0.5
    if tests:
        child = TOOLS['test.py'](scene, work_dir, best(work_dir))
    else:
        (work_dir / LAST).unlink()
        child = scene.train(work_dir, '--resume', 'auto')
        child.wait()
    try:
        if child.code != 0:
            one_sentence(child)
        elif not tests:
            scene.check_weights(work_dir)
        else:
            assert damage == 'noise', 'a test went on with it'
    except AssertionError as error:
        raise AssertionError(f'bank, {damage}, {"test" if tests else "training"}: {error}') from error
    check_usable(work_dir)


def _bank_of_others(path: Path, rng: random.Random) -> None:
    """Other rows, in a file that is complete."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(path, framework='pt') as file:
        meta, keys = file.metadata(), file.get_tensor('keys')
    keys = keys.flip(0) if rng.random() < 0.5 else keys[: len(keys) // 2].clone()
    save_file({'keys': keys.contiguous()}, path, meta)


DAMAGES_OF_BANKS: dict[str, Callable[[Path, random.Random], None]] = {
    **{name: DAMAGES[name] for name in ('truncated', 'noise', 'empty', 'text', 'directory', 'pipe', 'gone')},
    'other rows': _bank_of_others,
}


def _test(scene: Scene, work_dir: Path, file: Path) -> Child:
    place = work_dir.with_suffix('.test')
    return run(place.with_suffix('.txt'), 'tools/test.py', scene.config, file, '--work-dir', place)


def _infer(scene: Scene, work_dir: Path, file: Path) -> Child:
    cloud = work_dir.with_suffix('.npy')
    np.save(cloud, np.random.default_rng(0).normal(size=(128, 3)))
    return run(work_dir.with_suffix('.infer.txt'), 'tools/infer.py', scene.config, file, cloud)


def _join(scene: Scene, work_dir: Path, file: Path) -> Child:
    joined = work_dir.with_suffix('.full.safetensors')
    return run(
        work_dir.with_suffix('.merge.txt'),
        'tools/model_converters/join_adapter.py',
        scene.config,
        file,
        joined,
    )


def _resume(scene: Scene, work_dir: Path, file: Path) -> Child:
    child = scene.train(work_dir.with_suffix('.resumed'), '--resume', file)
    child.wait()
    return child


def _start_from(scene: Scene, work_dir: Path, file: Path) -> Child:
    child = scene.train(work_dir.with_suffix('.started'), '--cfg-options', f'load_from={file}')
    child.wait()
    return child


TOOLS: dict[str, Callable[[Scene, Path, Path], Child]] = {
    'test.py': _test,
    'infer.py': _infer,
    'join_adapter.py': _join,
    'train.py --resume': _resume,
    'train.py load_from': _start_from,
}


def _without_hash(content: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint of somebody who does not keep hashes, or leaves them out on purpose."""
    return {key: value for key, value in content.items() if 'hash' not in key}
