"""Python programs in processes of their own that need not import PyTorch and MMEngine again: seconds saved per run.

:func:`run` stands for ``subprocess.run``. A server, one per test process and started at the first call, has imported
the libraries and forks for every program; the fork reads the environment, runs the program as ``__main__``, and ends
as any interpreter does. Tests that are about the start of a process, its signals or its threads take ``subprocess``.
"""

from __future__ import annotations

import array
import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
AVAILABLE = sys.platform == 'linux'
"""Elsewhere forks of a process that has loaded PyTorch are not safe, and plain processes do it."""

SHARED_VARIABLES = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'MPLBACKEND')
"""What libraries read when they are imported: it is the server's, and has to be the program's too."""

LIBRARIES = (
    'mmengine.model',
    'mmengine.runner',
    'torch._dynamo',  # which an optimizer imports
    'matplotlib.figure',
    'matplotlib.backends.backend_agg',  # which MMEngine's visualizer imports
    'point_peft.apis',
    'point_peft.engine.runtime.runner',
)
"""What the server imports."""

OF_DETECTION = (
    ('point_peft.detection', 'mmdet3d.models', 'mmdet3d.datasets', 'mmdet3d.evaluation')
    if find_spec('mmdet3d')
    else ()
)
"""What it imports of the detection tier, where that is installed."""

Command = Sequence[object]


def run(
    command: Command,
    *,
    cwd: str | Path = ROOT,
    env: Mapping[str, str] | None = None,
    stderr: int = subprocess.PIPE,
    output: int | None = None,
    timeout: float = 240,
) -> subprocess.CompletedProcess:
    """Run ``[sys.executable, FILE or '-c', CODE, *arguments]`` to its end, and keep what it writes, as text.

    Args:
        command (Sequence): The program, in the repository's root or ``cwd``; other programs run as they always do.
        cwd (str or Path): Its directory.
        env (Mapping, optional): Its environment; by default this process's.
        stderr (int): As for ``subprocess.run``: ``PIPE`` keeps errors apart, ``STDOUT`` puts them between the output.
        output (int, optional): Descriptor that takes output and errors, such as a terminal's; nothing is kept then.
        timeout (float): Seconds that it may take.

    Raises:
        subprocess.TimeoutExpired: It took longer; it was killed.
    """
    words = [str(word) for word in command]
    env = dict(os.environ if env is None else env)
    shared = {name: env.get(name) for name in SHARED_VARIABLES}
    if not AVAILABLE or words[0] != sys.executable:
        piped = (
            dict(stdout=subprocess.PIPE, stderr=stderr)
            if output is None
            else dict(stdout=output, stderr=output)
        )
        return subprocess.run(words, cwd=cwd, env=env, timeout=timeout, check=False, text=True, **piped)
    if output is not None:
        code = _server(json.dumps(shared)).run(words, str(cwd), env, (output, output), timeout)
        return subprocess.CompletedProcess(words, code)
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as errors:
        streams = (printed.fileno(), (printed if stderr == subprocess.STDOUT else errors).fileno())
        code = _server(json.dumps(shared)).run(words, str(cwd), env, streams, timeout)
        return subprocess.CompletedProcess(words, code, _content(printed), _content(errors))


class Server:
    """The process that forks, seen from the tests."""

    def __init__(self, shared: Mapping[str, str | None]) -> None:
        self.socket, theirs = socket.socketpair()
        env = {name: value for name, value in os.environ.items() if name not in shared}
        env |= {name: value for name, value in shared.items() if value is not None}
        # MMEngine asks for a GPU when it is imported; this way of asking does not spoil the forks for CUDA.
        env['PYTORCH_NVML_BASED_CUDA_CHECK'] = '1'
        command = [sys.executable, __file__, str(theirs.fileno())]
        self.process = subprocess.Popen(
            command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        )
        theirs.close()
        atexit.register(self.close)

    def run(
        self, words: list[str], cwd: str, env: dict[str, str], streams: tuple[int, int], timeout: float
    ) -> int:
        """Exit code of a program, negative where a signal ended it; ``streams`` takes what it writes."""
        content = json.dumps(dict(words=words, cwd=cwd, env=env)).encode()
        sent = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', streams))
        self.socket.sendmsg([len(content).to_bytes(8, 'big')], [sent])
        self.socket.sendall(content)
        pid = self._number()
        self.socket.settimeout(timeout)
        try:
            return self._number()
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self.socket.settimeout(None)
            self._number()
            raise subprocess.TimeoutExpired(words, timeout) from None
        finally:
            self.socket.settimeout(None)

    def close(self) -> None:
        """End the server."""
        self.socket.close()
        self.process.wait()

    def _number(self) -> int:
        return int.from_bytes(_receive(self.socket, 8), 'big', signed=True)


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


_server = functools.cache(lambda shared: Server(json.loads(shared)))


def _receive(sock: socket.socket, size: int) -> bytes:
    """Exactly so many bytes; fewer where the other side is gone."""
    content = b''
    while len(content) < size and (more := sock.recv(size - len(content))):
        content += more
    return content


def serve(sock: socket.socket) -> list[str] | None:
    """Fork for every request: None in the server when the tests are over, the program's words in a fork."""
    while True:
        head, ancillary, *_ = sock.recvmsg(8, socket.CMSG_SPACE(8))
        if not head:
            return None
        request = json.loads(_receive(sock, int.from_bytes(head, 'big')))
        streams = array.array('i', ancillary[0][2])
        pid = os.fork()
        if pid == 0:
            sock.close()
            for number, stream in enumerate(streams, start=1):
                os.dup2(stream, number)
                os.close(stream)
            if os.isatty(1):  # the server's streams were made for files
                sys.stdout = open(1, 'w', closefd=False)  # noqa: SIM115
                sys.stderr = open(2, 'w', buffering=1, closefd=False)  # noqa: SIM115
            os.environ.clear()
            os.environ.update(request['env'])
            os.chdir(request['cwd'])
            return request['words']
        for stream in streams:
            os.close(stream)
        sock.sendall(pid.to_bytes(8, 'big'))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sock.sendall(code.to_bytes(8, 'big', signed=True))


def become(words: list[str]) -> None:
    """Run a program in this process, with the paths that a new interpreter would have."""
    python_path = [path for path in os.environ.get('PYTHONPATH', '').split(os.pathsep) if path]
    _, program, *arguments = words
    if program == '-c':
        code, *arguments = arguments
        sys.path[:1] = ['', *python_path]
        sys.argv = ['-c', *arguments]
        exec(compile(code, '<string>', 'exec'), {'__name__': '__main__'})
    else:
        sys.path[:1] = [str(Path(program).resolve().parent), *python_path]
        sys.argv = [program, *arguments]
        runpy.run_path(program, run_name='__main__')


if __name__ == '__main__':
    sys.path.insert(1, str(ROOT / 'projects'))
    for library in (*LIBRARIES, *OF_DETECTION):
        importlib.import_module(library)
    gc.freeze()  # or every fork copies all of it, object by object, when it ends
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests; they end the server
    words = serve(socket.socket(fileno=int(sys.argv[1])))
    if words is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        become(words)
