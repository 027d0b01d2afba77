"""Kernels in C: compiled when they are first needed, in less than a second, and kept among the user's caches.

They are made for the vectors that torch itself uses on this processor, and share its threads.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from ..io.caches import user_caches
from ..io.errors import InvalidValueError, MissingFileError

FLAGS = ('-O3', '-std=gnu11', '-fPIC', '-shared', '-fopenmp', '-fno-math-errno', '-fno-trapping-math')

VECTORS = {
    'AVX2': ('-mavx2', '-mfma'),
    'AVX512': ('-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mfma'),
}
"""Flags for the vectors of :func:`torch.backends.cpu.get_cpu_capability`."""

WIDEST_VECTOR = 16
"""Numbers of float32 in the widest vector of these; other vectors have half as many."""

SECONDS_TO_COMPILE = 120

PLAIN_TENSORS = (Tensor, nn.Parameter)
"""Classes whose numbers lie where their address says."""

KNOWN_TYPES = (torch.float32, torch.int64, torch.uint8)
"""What kernels read and write."""


def compiler() -> str | None:
    """The C compiler, where the kernels are meant for this machine: Linux, an x86 processor with AVX2."""
    if sys.platform != 'linux' or platform.machine() != 'x86_64':
        return None
    if torch.backends.cpu.get_cpu_capability() not in VECTORS:
        return None
    return shutil.which(os.environ.get('CC') or 'cc')


def long(number: int) -> ctypes.c_int64:
    """A number of the type in which C takes what may be large."""
    return ctypes.c_int64(number)


def call(
    source: Path,
    name: str,
    *arguments: Tensor | ctypes.c_int64 | ctypes.c_float | int | None,
    flags: tuple[str, ...] = (),
) -> int:
    """Call a kernel with tensors, numbers and, last, the number of threads; what it returns.

    Tensors become contiguous; those that it writes to must be. Modes that know of kernels (``note_kernel``) are told.

    Args:
        source (Path): C file.
        name (str): Function in it.
        *arguments (Tensor | c_int64 | c_float | int | None): What it takes; None is a null pointer.
        flags (tuple[str, ...]): More flags of the compiler.

    Raises:
        ValueError: A tensor is not in this machine's memory as numbers of a type that kernels know.
    """
    modes: list[Any] = _get_current_dispatch_mode_stack()
    for mode in modes:
        mode.note_kernel(name)
    kept = [_readable(value).contiguous() if isinstance(value, Tensor) else value for value in arguments]
    given = [ctypes.c_void_p(value.data_ptr()) if isinstance(value, Tensor) else value for value in kept]
    result: int = getattr(library(source, flags), name)(*given, torch.get_num_threads())
    return result


def is_watched() -> bool:
    """Whether a mode looks on that knows torch's operators alone, such as a counter of FLOPs."""
    return any(not hasattr(mode, 'note_kernel') for mode in _get_current_dispatch_mode_stack())


def is_plain(tensor: Tensor) -> bool:
    """Whether its numbers lie in this machine's memory, at its address."""
    return type(tensor) in PLAIN_TENSORS and tensor.device.type == 'cpu'


def _readable(tensor: Tensor) -> Tensor:
    """The tensor, if C may read it: any other address or type would be garbage, and nobody would say so."""
    if not is_plain(tensor) or tensor.dtype not in KNOWN_TYPES:
        raise InvalidValueError(
            f'a kernel in C got a {type(tensor).__name__} of {tensor.dtype} on {tensor.device}; it reads float32 and '
            'indices in the memory of the CPU.'
        )
    return tensor


@functools.cache
def library(source: Path, flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The compiled functions of a C file.

    Raises:
        OSError: There is no compiler, no place to write to, or what was compiled does not load.
        subprocess.SubprocessError: It does not compile.
    """
    command = compiler()
    if command is None:
        raise MissingFileError('there is no C compiler here; set CC')
    command_line = [command, *FLAGS, *flags, *VECTORS[torch.backends.cpu.get_cpu_capability()]]
    read = [source, *sorted(source.parent.glob('*.h'))]
    content = b'\0'.join(file.read_bytes() for file in read)
    digest = hashlib.sha256('\0'.join(command_line).encode() + content).hexdigest()[:16]
    command_line += [str(source), '-lm', '-o']
    try:
        return _kept(user_caches() / 'kernels' / f'{source.stem}-{digest}.so', command_line)
    except OSError:  # a home that is read-only, full or absent, or a file there that is damaged
        with tempfile.TemporaryDirectory() as folder:
            return ctypes.CDLL(str(_compiled(Path(folder, 'kernels.so'), command_line)))


def _kept(file: Path, command_line: list[str]) -> ctypes.CDLL:
    """The library in the user's caches, compiled now if nobody has."""
    if not _is_ours(file):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _compiled(file, command_line)
    return ctypes.CDLL(str(file))


def _is_ours(file: Path) -> bool:
    """Whether it is there and this user alone may write to it: its code will be executed."""
    if not file.is_file():
        return False
    status = file.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _compiled(file: Path, command_line: list[str]) -> Path:
    """Compile to a file that takes its name when it is complete."""
    handle, name = tempfile.mkstemp('.partial', f'.{file.name}.', file.parent)  # threads compile at once, too
    os.close(handle)
    partial = Path(name)
    try:
        subprocess.run(
            [*command_line, str(partial)],
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_COMPILE,
        )
        partial.chmod(0o700)
        with open(partial, 'rb') as written:
            os.fsync(written.fileno())  # or a power cut could leave the name with half of the code
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    return file
