"""Running the command-line tools on the toy of toy_engine.py, in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import warm_python
from toy_engine import make_config

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 120


def write_config(path: Path, pretrained: Path | None = None, **changes: Any) -> Path:
    """Write a config of the toy that imports it, with its work directory beside the file."""
    cfg = make_config(path.parent / 'work', pretrained, **changes)
    cfg.pop('experiment_name')
    cfg.custom_imports = dict(imports=['toy_engine'], allow_failed_imports=False)
    cfg.dump(path)
    return path


def environment() -> dict[str, str]:
    """Variables of a tool's process: the package and the toy are importable, one thread, a free port."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = str(sock.getsockname()[1])
    paths = [str(ROOT / 'projects'), str(Path(__file__).parent), os.environ.get('PYTHONPATH', '')]
    return {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(paths),
        'OMP_NUM_THREADS': '1',
        'MKL_NUM_THREADS': '1',
        'PYTHON': sys.executable,
        'PORT': port,
    }


def start(*command: Any) -> subprocess.Popen:
    """Start a command in the root of the repository."""
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run(*command: Any) -> tuple[int, str]:
    """Run a command to its end; its exit code and output."""
    process = start(*command)
    try:
        output, _ = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    return process.returncode, output


def run_python(tool: str, *arguments: Any) -> tuple[int, str]:
    """Run one of the tools, or with a first argument ``-c`` a program; its exit code and output."""
    command = [sys.executable, tool, *arguments]
    done = warm_python.run(command, env=environment(), stderr=subprocess.STDOUT, timeout=TIMEOUT)
    return done.returncode, done.stdout
