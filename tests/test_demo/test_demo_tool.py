"""The demo from the command line."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from urllib.request import urlopen

import pytest

from point_peft.io.errors import ConfigError, PointPEFTError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    return load_tool('demo.py')


def arguments(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *given: str) -> object:
    monkeypatch.setattr(sys, 'argv', ['demo.py', *given])
    return tool.parse_args()


def test_until_ctrl_c(classifier: Path) -> None:
    """It says where it is, answers, and ends without a traceback."""
    command = [sys.executable, str(ROOT / 'tools/demo.py'), str(classifier), '--port', '0']
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = next(line for line in process.stdout if line.startswith('the demo is at '))
        address = said.split()[4]
        assert address.startswith('http://127.0.0.1:')
        with urlopen(address) as page:
            assert b'<title>Point-PEFT demo</title>' in page.read()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.endswith('the demo has ended\n')
    assert 'Traceback' not in errors and 'interrupted' not in errors


def test_port_in_use(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, classifier: Path) -> None:
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = other.getsockname()[1]
        args = arguments(tool, monkeypatch, str(classifier), '--port', str(port))
        with pytest.raises(ConfigError, match=f'^port {port} is in use; give another one with --port'):
            tool.main(args)


def test_bad_checkpoint(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, malicious: tuple[Path, Path]
) -> None:
    """One sentence, and nothing in the file is run."""
    file, trace = malicious
    with pytest.raises(PointPEFTError, match='malicious'):
        tool.main(arguments(tool, monkeypatch, str(file), '--port', '0'))
    assert not trace.exists()


@pytest.mark.parametrize('given', [['--port', '70000'], ['--port', 'x'], ['--max-mb', '0']])
def test_flags(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, given: list[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(tool, monkeypatch, *given)
