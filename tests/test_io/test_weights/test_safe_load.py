from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.runner import CheckpointLoader

from point_peft.engine import use_safe_loading
from point_peft.io.errors import (
    CheckpointError,
    CorruptCheckpointError,
    MissingFileError,
    UnsafeCheckpointError,
)
from point_peft.io.weights import load_checkpoint_file, load_tensor_file, save_checkpoint


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple:
        return os.system, (f'touch {self.canary}',)


def write_evil(path: Path, canary: Path, layout: str) -> None:
    content = dict(state_dict=dict(weight=torch.ones(2)), extra=Evil(canary))
    if layout == 'raw':
        path.write_bytes(pickle.dumps(Evil(canary), protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=layout == 'zip')


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_reads_what_was_saved(tmp_path: Path, suffix: str) -> None:
    weight = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    save_checkpoint(
        tmp_path / f'a{suffix}', dict(weight=weight, same=weight), dict(own=dict(format='full', n=3))
    )
    loaded = load_checkpoint_file(tmp_path / f'a{suffix}')
    assert loaded['meta'] == dict(own=dict(format='full', n=3))
    assert torch.equal(loaded['state_dict']['weight'], weight)
    assert loaded['state_dict']['same'].dtype == torch.float64


def test_plain_metadata_of_others_is_kept(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(dict(a=torch.ones(1)), tmp_path / 'a.safetensors', metadata=dict(format='pt'))
    assert load_checkpoint_file(tmp_path / 'a.safetensors')['meta'] == dict(format='pt')


@pytest.mark.parametrize('layout', ['zip', 'legacy', 'raw'])
@pytest.mark.parametrize('loader', [load_checkpoint_file, load_tensor_file, CheckpointLoader.load_checkpoint])
def test_malicious_pickle_is_refused_and_not_run(tmp_path: Path, layout: str, loader: Any) -> None:
    canary, path = tmp_path / 'canary', tmp_path / 'evil.pth'
    write_evil(path, canary, layout)
    with pytest.raises(UnsafeCheckpointError, match=r'evil\.pth was not loaded.*system.*safetensors'):
        loader(str(path))
    assert not canary.exists()
    torch.load(path, weights_only=False) if layout != 'raw' else pickle.loads(path.read_bytes())
    assert canary.exists()  # so the file was armed


@pytest.mark.parametrize(
    'number', [np.float64(0.5), np.float32(0.5), np.int64(3), np.int32(3), np.bool_(True)]
)
@pytest.mark.parametrize('old_name', [False, True])
def test_numpy_numbers_are_read(tmp_path: Path, number: np.generic, old_name: bool) -> None:
    """Published files of part segmentation keep accuracies so, under the names of NumPy 1."""
    path = tmp_path / 'a.pth'
    torch.save(dict(accuracy=number, weight=torch.ones(2)), path, _use_new_zipfile_serialization=False)
    if old_name:
        content = path.read_bytes()
        assert b'numpy._core.multiarray\nscalar' in content
        path.write_bytes(content.replace(b'numpy._core.multiarray', b'numpy.core.multiarray'))
    assert load_checkpoint_file(path)['accuracy'] == number


def test_numpy_numbers_hide_nothing(tmp_path: Path) -> None:
    """Neither objects in the place of a number's bytes nor arrays of objects are let through."""
    canary, path = tmp_path / 'canary', tmp_path / 'evil.pth'
    make = np.float64(0).__reduce__()[0]

    class Hidden:
        def __reduce__(self) -> tuple:
            return make, (np.dtype('O'), Evil(canary))

    for content in (Hidden(), np.array([Evil(canary)], dtype=object)):
        torch.save(dict(a=content), path)
        with pytest.raises(UnsafeCheckpointError, match=r'evil\.pth was not loaded'):
            load_checkpoint_file(path)
    assert not canary.exists()


def test_download_is_read_safely_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = tmp_path / 'canary'
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(
        torch.hub,
        'download_url_to_file',
        lambda url, target, sha256, progress: write_evil(Path(target), canary, 'zip'),
    )
    with pytest.raises(UnsafeCheckpointError):
        CheckpointLoader.load_checkpoint('https://example.org/evil.pth')
    assert not canary.exists()


def test_unreachable_address_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError('no route')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', fail)
    with pytest.raises(CheckpointError, match='https://example.org/a.pth cannot be downloaded'):
        CheckpointLoader.load_checkpoint('https://example.org/a.pth')


@pytest.mark.parametrize('name', ['torchvision://resnet50', 's3://bucket/a.pth', 'open-mmlab://a'])
def test_other_schemes_are_refused(name: str) -> None:
    use_safe_loading()  # a second call does no harm
    with pytest.raises(CheckpointError, match='scheme that is not supported'):
        CheckpointLoader.load_checkpoint(name)


def test_modules_are_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / 'module.pth')
    with pytest.raises(UnsafeCheckpointError, match=r'asks for torch\.nn\.modules\.linear\.Linear'):
        load_checkpoint_file(tmp_path / 'module.pth')


@pytest.mark.parametrize('content', [b'', b'hello, this is a web page', b'PK\x03\x04 but no more'])
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_garbage_names_the_file(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f'bad{suffix}'
    path.write_bytes(content)
    with pytest.raises(CorruptCheckpointError, match=rf'bad{suffix}.*use another'):
        load_checkpoint_file(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.999), suffix=st.sampled_from(['.pth', '.safetensors']))
def test_every_truncation_is_noticed(tmp_path: Path, share: float, suffix: str) -> None:
    path = tmp_path / f'a{suffix}'
    save_checkpoint(path, dict(weight=torch.randn(50, 3)), dict(a=1))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CorruptCheckpointError, match=f'a{suffix}'):
        load_checkpoint_file(path)


def test_other_content_and_missing_file(tmp_path: Path) -> None:
    torch.save([torch.ones(1)], tmp_path / 'list.pth')
    with pytest.raises(CheckpointError, match='holds a list'):
        load_checkpoint_file(tmp_path / 'list.pth')
    with pytest.raises(MissingFileError, match='does not exist'):
        load_checkpoint_file(tmp_path / 'none.pth')


def test_tensor_file(tmp_path: Path) -> None:
    bank = torch.randn(4, 2)
    torch.save(bank, tmp_path / 'bank.pt')
    save_checkpoint(tmp_path / 'bank.safetensors', dict(bank=bank), {})
    save_checkpoint(tmp_path / 'two.safetensors', dict(a=bank, b=bank), {})
    assert torch.equal(load_tensor_file(tmp_path / 'bank.pt'), bank)
    assert torch.equal(load_tensor_file(tmp_path / 'bank.safetensors'), bank)
    with pytest.raises(CheckpointError, match='should hold one tensor'):
        load_tensor_file(tmp_path / 'two.safetensors')
