"""Files at an address, with nothing but this machine: a server on it, and a stand-in for the hub's package."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from point_peft.engine.preflight.files import check_files
from point_peft.io.addresses import fetch, fetch_folder, is_address, is_folder, kept_file
from point_peft.io.errors import CheckpointError, MissingPackageError
from point_peft.io.shipped import ROOT
from point_peft.io.weights import load_checkpoint_file

MINI = ROOT / 'checkpoints/pointmae_mini.safetensors'
SHA256 = hashlib.sha256(MINI.read_bytes()).hexdigest()
OTHER = '0' * 64


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Downloads of a test are kept in a directory of its own."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    return tmp_path / 'hub/checkpoints'


class Handler(SimpleHTTPRequestHandler):
    """Serves a directory and counts."""

    served: list[str]

    def do_GET(self) -> None:
        self.served.append(self.path)
        super().do_GET()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """Address of the shipped weights on this machine, and the paths that were asked for."""
    served: list[str] = []
    kind = type('Counting', (Handler,), dict(served=served))
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(kind, directory=str(MINI.parent))) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{http.server_port}', served
        http.shutdown()


def test_once(server: tuple[str, list[str]], cache: Path) -> None:
    """A file is fetched once, whoever asks for it at the same time, and is then read as any other."""
    root, served = server
    address = f'{root}/{MINI.name}'
    assert kept_file(address) is None
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(address))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and served == [f'/{MINI.name}']
    assert kept_file(address) == found[0] and found[0].is_relative_to(cache)
    assert load_checkpoint_file(f'{address}#sha256={SHA256.upper()}')['state_dict'].keys()
    assert served == [f'/{MINI.name}']


def test_hash(server: tuple[str, list[str]]) -> None:
    """Another file than was meant is not kept; one that has changed since is not used."""
    address = f'{server[0]}/{MINI.name}'
    with pytest.raises(CheckpointError, match='cannot be downloaded .*invalid hash value'):
        fetch(f'{address}#sha256={OTHER}')
    assert kept_file(address) is None
    file = fetch(f'{address}#sha256={SHA256}')
    file.write_bytes(b'changed')
    with pytest.raises(CheckpointError, match=f'SHA-256 .*, not {SHA256}; delete that file'):
        fetch(f'{address}#sha256={SHA256}')


@pytest.mark.parametrize(
    ('address', 'message'),
    [
        ('https://example.org/a.pth#sha256=12', 'should be sha256= and 64 digits'),
        ('https://example.org/a.pth#md5=12', 'should be sha256= and 64 digits'),
        ('s3://bucket/a.pth', 'scheme that is not supported'),
        ('hf://owner', 'give hf://OWNER/REPO/FILE'),
        ('hf://owner/repo', 'give hf://OWNER/REPO/FILE'),
        ('http://127.0.0.1:9/a.pth', 'cannot be downloaded .*where this machine has no internet'),
    ],
)
def test_one_sentence(address: str, message: str) -> None:
    """What cannot be fetched says so."""
    with pytest.raises(CheckpointError, match=message):
        fetch(address)


def test_a_config_names_an_address(server: tuple[str, list[str]]) -> None:
    """It is fetched before a model is built."""
    from point_peft.apis import init_model
    from point_peft.engine.config import load_config

    address = f'{server[0]}/{MINI.name}'
    key = 'model.backbone.init_cfg.checkpoint'
    cfg = load_config('lora/pointmae_mini_shapes', {key: f'{address}#sha256={SHA256}'})
    check_files(cfg)
    assert kept_file(address) is not None
    same = init_model(load_config('lora/pointmae_mini_shapes'))
    for name, value in init_model(cfg).backbone.backbone.base_state().items():
        assert torch.equal(value, same.backbone.backbone.base_state()[name])


def test_without_the_hubs_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence with the command that installs it."""
    monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
    with pytest.raises(MissingPackageError, match='pip install huggingface_hub'):
        fetch('hf://owner/repo/a.safetensors')


def test_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Owner, repository, revision and file reach the package; nothing that could be a program is fetched."""
    asked: list[tuple] = []

    def download(repo: str, file: str, revision: str | None) -> str:
        asked.append((repo, file, revision))
        return str(MINI)

    def snapshot(repo: str, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repo, allow_patterns, revision))
        return str(tmp_path)

    package = SimpleNamespace(
        hf_hub_download=download,
        snapshot_download=snapshot,
        try_to_load_from_cache=lambda repo, file, revision: None,
    )
    monkeypatch.setitem(sys.modules, 'huggingface_hub', package)
    assert fetch(f'hf://owner/repo@v1/sub/a.safetensors#sha256={SHA256}') == MINI
    assert fetch('hf://owner/repo/a.safetensors') == MINI
    assert fetch_folder('hf://owner/repo') == tmp_path
    assert asked[:2] == [('owner/repo', 'sub/a.safetensors', 'v1'), ('owner/repo', 'a.safetensors', None)]
    assert all(pattern.endswith(('.json', '.safetensors', '.md')) for pattern in asked[2][1])
    assert kept_file('hf://owner/repo/a.safetensors') is None
    assert is_folder('hf://owner/repo@v1') and not is_folder('hf://owner/repo/a')
    assert is_address('hf://a/b') and not is_address(Path('a/b')) and not is_address(None)
