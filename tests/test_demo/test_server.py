"""The demo's server, without a browser."""

from __future__ import annotations

import io
import json
import re
import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from point_peft.apis import Inferencer
from point_peft.demo.server import FILES, FOLDER, DemoServer, safe_name
from point_peft.io.errors import ConfigError, InvalidValueError

CLOUD = np.random.default_rng(0).standard_normal((300, 3))
LIMIT = 2**20


class Exploit:
    """A pickle that creates a file when it is opened."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable, tuple]:
        return Path.touch, (self.trace,)


def npy(points: np.ndarray, **options: Any) -> bytes:
    """The bytes of an ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, points, **options)
    return file.getvalue()


@pytest.fixture
def ask(server: DemoServer) -> Callable[..., tuple[HTTPResponse, Any]]:
    """Function that sends a request; gives the response, and what its JSON says."""

    def send(method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[HTTPResponse, Any]:
        connection = HTTPConnection('127.0.0.1', server.server_port, timeout=60)
        connection.request(
            method, path, body, {key.replace('_', '-'): value for key, value in headers.items()}
        )
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        is_json = reply.headers['Content-Type'].startswith('application/json')
        return reply, json.loads(content) if is_json else content

    return send


def test_page_and_its_files(ask: Callable) -> None:
    """All that the page names is served, and nothing else; the browser is told to load nothing from elsewhere."""
    reply, page = ask('GET', '/')
    assert reply.status == 200
    named = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.decode())
    assert {f'/{name}' for name in named} == {*FILES, '/plotly.js'} - {'/'}
    for name in named:
        assert ask('GET', f'/{name}')[0].status == 200
    policy = reply.headers['Content-Security-Policy']
    assert "default-src 'none'" in policy and 'http' not in policy
    for path in ('/../pyproject.toml', '/demo.css/..', '/etc/passwd', '/demo.py'):
        reply, answer = ask('GET', path)
        assert (reply.status, answer) == (404, dict(error='there is no such page.'))


def test_only_on_this_machine(server: DemoServer, ask: Callable) -> None:
    """It listens on the loopback interface, and refuses other names for it and pages of other sites."""
    assert server.server_address[0] == '127.0.0.1'
    for method, path, body in (
        ('GET', '/', None),
        ('GET', '/model', None),
        ('POST', '/example?index=0', b''),
    ):
        for headers in (dict(Host='evil.example'), dict(Origin='http://evil.example')):
            reply, answer = ask(method, path, body, **headers)
            assert reply.status == 403 and list(answer) == ['error']
    assert ask('GET', '/model', Host=f'localhost:{server.server_port}')[0].status == 200


def test_answers_as_the_inferencer(ask: Callable, classifier: Path, tmp_path: Path) -> None:
    """A file gets the probabilities that it gets by ``tools/infer.py``, best first."""
    file = tmp_path / FOLDER / 'some cloud.npy'
    file.parent.mkdir()
    file.write_bytes(npy(CLOUD))
    (expected,) = Inferencer(classifier)([file])
    reply, answer = ask('POST', '/predict?name=some%20cloud.npy', file.read_bytes())
    assert reply.status == 200
    assert answer['name'] == 'some cloud.npy'
    assert answer['classes'][0]['name'] == expected['pred_class']
    found = [one['probability'] for one in answer['classes']]
    np.testing.assert_allclose(found, np.sort(expected['pred_scores'])[::-1], atol=1e-4)
    assert len(answer['cloud']['panels']) == 1


def test_example(ask: Callable) -> None:
    """All examples are offered with a picture; one that there is not is refused."""
    _, model = ask('GET', '/model')
    assert len(model['examples']) == 16
    assert all(len(one['picture']['x']) == 400 for one in model['examples'])
    reply, answer = ask('POST', '/example?index=3', b'')
    assert reply.status == 200 and answer['name'] == 'bookshelf (example)'
    for index in ('16', '-1', 'x', '9' * 5000, ''):
        reply, answer = ask('POST', f'/example?index={index}', b'')
        assert (reply.status, answer['error'][:19]) == (422, 'there is no example')


@pytest.mark.parametrize(
    ('name', 'content', 'said'),
    [
        ('broken.ply', b'ply\nformat', r'broken\.ply'),
        ('cloud.docx', b'PK', r'cloud\.docx.*(\.npy|\.ply)'),
        ('short.npy', npy(CLOUD[:2]), r'short\.npy'),
        ('nan.npy', npy(CLOUD * np.nan), r'nan\.npy'),
        ('empty.xyz', b'', r'empty\.xyz'),
        ('', npy(CLOUD), 'no usable name'),
        ('..', npy(CLOUD), 'no usable name'),
    ],
)
def test_bad_files(ask: Callable, name: str, content: bytes, said: str) -> None:
    """One sentence, without the place where the file was kept."""
    reply, answer = ask('POST', f'/predict?name={name}', content)
    assert reply.status == 422
    assert re.search(said, answer['error']) and '\n' not in answer['error']
    assert 'point_peft_demo_' not in answer['error']


def test_pickles_are_not_opened(ask: Callable, tmp_path: Path) -> None:
    trace = tmp_path / 'executed'
    content = npy(np.array([Exploit(trace)], dtype=object), allow_pickle=True)
    reply, answer = ask('POST', '/predict?name=evil.npy', content)
    assert reply.status == 422 and 'evil.npy' in answer['error']
    assert not trace.exists()


@pytest.mark.parametrize('size', [LIMIT + 1, 3 * LIMIT, 6 * LIMIT])
def test_too_large(ask: Callable, size: int) -> None:
    """It is refused with its size; far too much is not even read, and the connection ends."""
    try:
        reply, answer = ask('POST', '/predict?name=large.npy', bytes(size))
    except (ConnectionError, BrokenPipeError):
        assert size > 4 * LIMIT
        return
    assert reply.status == 413
    assert answer['error'].startswith(f'the file has {size / LIMIT:.1f} MB, and the limit is 1 MB;')


@pytest.mark.parametrize('length', [None, '-5', 'x'])
def test_length_is_needed(server: DemoServer, length: str | None) -> None:
    """Without a length nobody knows when to stop reading."""
    said = '' if length is None else f'Content-Length: {length}\r\n'
    with socket.create_connection(('127.0.0.1', server.server_port), timeout=30) as connection:
        connection.sendall(
            f'POST /predict?name=a.npy HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n{said}\r\n'.encode()
        )
        reply = b''.join(iter(lambda: connection.recv(65536), b''))
    assert b' 422 ' in reply.splitlines()[0] and b'does not say how long it is' in reply


def test_names() -> None:
    """Only the last part of a name counts; the ending of a long one stays, as it tells the format."""
    assert safe_name('../../etc/chair.ply') == safe_name('C:\\scans\\chair.ply') == 'chair.ply'
    assert safe_name('x' * 300 + '.ply').endswith('x.ply') and len(safe_name('x' * 300 + '.ply')) < 255
    for name in ('', '.', '..', 'a/', 'a\0.ply', 'a\n.ply'):
        with pytest.raises(InvalidValueError, match='no usable name'):
            safe_name(name)


def test_port_in_use(server: DemoServer) -> None:
    with pytest.raises(
        ConfigError, match=rf'^port {server.server_port} is in use; give another one with --port'
    ):
        DemoServer(port=server.server_port)
