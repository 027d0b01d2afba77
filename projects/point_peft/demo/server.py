"""The demo's server: the page, its files, and answers to clouds; on the loopback interface only."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from plotly.offline import get_plotlyjs

from ..io.errors import ConfigError, InvalidValueError, PointPEFTError
from ..io.text import printable
from ..version import __version__
from ..visualization.page import ASSETS as SHARED
from ..visualization.page_data import as_json
from .guard import HEADERS, LOOPBACK, refusal
from .model import DemoModel

ASSETS = Path(__file__).parent / 'assets'

FILES = {
    '/': (ASSETS / 'demo.html', 'text/html'),
    '/demo.css': (ASSETS / 'demo.css', 'text/css'),
    '/demo.js': (ASSETS / 'demo.js', 'text/javascript'),
    '/thumbnails.js': (ASSETS / 'thumbnails.js', 'text/javascript'),
    '/clouds.css': (SHARED / 'clouds.css', 'text/css'),
    '/clouds.js': (SHARED / 'clouds.js', 'text/javascript'),
}
"""All files that are served, with their types; no address is looked up on the disk."""

FOLDER = 'uploads'
"""Folder that files lie in while they are read: which of their points are taken depends on its name and theirs."""

LARGEST = 64
"""Megabytes of a file, unless somebody says otherwise."""

MEGABYTE = 2**20

LONGEST_NAME = 120
"""Letters of a file's name that are kept, its end."""

PATIENCE = 30
"""Seconds that a connection may be silent."""

DRAINED = 4
"""Times the limit that is read of a file that is too large, so that the browser hears the answer."""


class DemoServer(ThreadingHTTPServer):
    """The server. It takes its port at once and answers when it has its model, which may take a while.

    Args:
        port (int): Where on the loopback interface; 0 takes a free one.
        largest (int): Megabytes of a file at most.

    Attributes:
        model (DemoModel): What answers; to be set before :meth:`serve_forever`.

    Raises:
        ConfigError: The port is in use, or not for this user.
    """

    daemon_threads = True
    allow_reuse_address = os.name == 'posix'  # elsewhere two programs could share the port

    model: DemoModel

    def __init__(self, *, port: int, largest: int = LARGEST) -> None:
        self.largest = largest * MEGABYTE
        try:
            super().__init__((LOOPBACK, port), DemoHandler)
        except OSError as error:
            why = 'is in use' if error.errno == errno.EADDRINUSE else f'cannot be used ({error.strerror})'
            raise ConfigError(
                f'port {port} {why}; give another one with --port, or --port 0 for one that is free.'
            ) from error

    @property
    def address(self) -> str:
        """What to type into a browser."""
        return f'http://{LOOPBACK}:{self.server_port}'


class DemoHandler(BaseHTTPRequestHandler):
    """Answers one request; a connection ends with it, so that nothing is left of it in the next."""

    server: DemoServer
    server_version = f'point-peft/{__version__}'
    sys_version = ''
    timeout = PATIENCE

    def do_GET(self) -> None:
        """The page, its files, and what it says of the model."""
        path = urlsplit(self.path).path
        if self._refused():
            return
        if path in FILES:
            file, kind = FILES[path]
            self._send(HTTPStatus.OK, file.read_bytes(), kind)
        elif path == '/plotly.js':
            self._send(HTTPStatus.OK, _plotly(), 'text/javascript')
        elif path == '/model':
            self._send_json({**self.server.model.describe(), 'largest': self.server.largest})
        else:
            self._send_error(HTTPStatus.NOT_FOUND, 'there is no such page.')

    def do_POST(self) -> None:
        """What the model says of a file, which is the body, or of an example."""
        if self._refused():
            return
        parts = urlsplit(self.path)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        category = asked.get('category') or None
        model = self.server.model
        try:
            content = self._body()
            if parts.path == '/example':
                found = model.predict_example(_number(asked.get('index', '')), category)
            elif parts.path == '/predict':
                with tempfile.TemporaryDirectory(prefix='point_peft_demo_') as folder:
                    path = Path(folder, FOLDER, safe_name(asked.get('name', '')))
                    path.parent.mkdir()
                    path.write_bytes(content)
                    found = model.predict_file(path, category)
            else:
                self._send_error(HTTPStatus.NOT_FOUND, 'there is no such page.')
                return
        except _TooLargeError as error:
            self._send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
        except (PointPEFTError, OSError) as error:
            self._send_error(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        else:
            self._send_json(found)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal quiet: requests are the user's own."""

    def _refused(self) -> bool:
        """Refuse a request that is not of the demo's page."""
        why = refusal(self.headers, self.server.server_port)
        if why is not None:
            self._send_error(HTTPStatus.FORBIDDEN, why)
        return why is not None

    def _body(self) -> bytes:
        """What was sent.

        Raises:
            _TooLargeError: It is larger than the limit; it is read and thrown away.
            InvalidValueError: Its length is not said, or it ends before.
        """
        try:
            length = int(self.headers.get('Content-Length', ''))
        except ValueError:
            length = -1
        if length < 0 or 'Transfer-Encoding' in self.headers:
            raise InvalidValueError('the request does not say how long it is.')
        limit = self.server.largest
        if length > limit:
            self._drain(min(length, DRAINED * limit))
            raise _TooLargeError(
                f'the file has {length / MEGABYTE:.1f} MB, and the limit is {limit / MEGABYTE:.0f} MB; thin it out, '
                'or start the demo with a larger --max-mb.'
            )
        content = self.rfile.read(length)
        if len(content) < length:
            raise InvalidValueError('the file ended early; send it again.')
        return content

    def _drain(self, length: int) -> None:
        """Read and forget, so that the browser, which sends first and listens then, hears the answer."""
        while length > 0 and (piece := self.rfile.read(min(length, MEGABYTE))):
            length -= len(piece)

    def _send_json(self, answer: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, as_json(answer).encode(), 'application/json')

    def _send_error(self, status: HTTPStatus, sentence: str) -> None:
        """Send a sentence."""
        self._send(status, json.dumps({'error': printable(sentence)}).encode(), 'application/json')

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header('Content-Type', f'{kind}; charset=utf-8')
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _TooLargeError(PointPEFTError):
    """A file is larger than the limit."""


def safe_name(name: str) -> str:
    """The name of a file without any folder, as it decides on the format and the points that are drawn.

    Raises:
        InvalidValueError: It is none.
    """
    last = name.replace('\\', '/').rpartition('/')[2][-LONGEST_NAME:]
    if not last.strip('. ') or not last.isprintable():
        raise InvalidValueError('the file has no usable name; rename it.')
    return last


def _number(text: str) -> int:
    """A whole number, of few digits; -1 if it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else -1


@cache
def _plotly() -> bytes:
    return get_plotlyjs().encode()
