"""Attention within regions and max pooling over them on a CPU, each a single pass; written in C.

The plain forms, in :mod:`.region_attention` and :mod:`.region_pooling`, pass over all neighbourhoods a dozen times, and
their products are so small that most of a processor's lanes stay empty. ``region_kernels.c`` is compiled when it is
first needed, in less than a second, for the vectors that torch itself uses here, and kept among the user's caches.
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

import torch
from torch import Tensor

SOURCE = Path(__file__).with_suffix('.c')

FLAGS = ('-O3', '-std=gnu11', '-fPIC', '-shared', '-fopenmp', '-fno-math-errno', '-fno-trapping-math')

VECTORS = {
    'AVX2': ('-mavx2', '-mfma'),
    'AVX512': ('-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mfma'),
}
"""Flags for the vectors of :func:`torch.backends.cpu.get_cpu_capability`."""

SECONDS_TO_COMPILE = 120

MAX_NEIGHBORS, MAX_HEAD_DIM, MAX_ATTN_DIM, MAX_UPDATE_DIM = 64, 16, 96, 64
"""What the kernels have room for, as in the source."""

WIDEST_VECTOR = 16
"""Channels are pooled in vectors of as many numbers, or of half as many."""


def compiler() -> str | None:
    """The C compiler, where the kernels are meant for this machine: Linux, an x86 processor with AVX2."""
    if sys.platform != 'linux' or platform.machine() != 'x86_64':
        return None
    if torch.backends.cpu.get_cpu_capability() not in VECTORS:
        return None
    return shutil.which(os.environ.get('CC') or 'cc')


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled kernels.

    Raises:
        OSError: There is no compiler, no place to write to, or what was compiled does not load.
        subprocess.SubprocessError: It does not compile.
    """
    command = compiler()
    if command is None:
        raise FileNotFoundError('there is no C compiler')
    command_line = [command, *FLAGS, *VECTORS[torch.backends.cpu.get_cpu_capability()]]
    digest = hashlib.sha256('\0'.join(command_line).encode() + SOURCE.read_bytes()).hexdigest()[:16]
    try:
        return _kept(_caches() / f'{SOURCE.stem}-{digest}.so', command_line)
    except OSError:  # a home that is read-only, full or absent, or a file there that is damaged
        with tempfile.TemporaryDirectory() as folder:
            return ctypes.CDLL(str(_compiled(Path(folder, 'kernels.so'), command_line)))


def can_attend(table: Tensor, rows: Tensor, num_heads: int) -> bool:
    """Whether there is room for the attention of :func:`attention`."""
    width = table.shape[1] // 3
    small = width <= MAX_ATTN_DIM and width // num_heads <= MAX_HEAD_DIM
    return small and rows.shape[1] <= MAX_NEIGHBORS


def can_pool(table: Tensor, rows: Tensor, update: Tensor) -> bool:
    """Whether there is room for the pooling of :func:`maxima`."""
    small = update.shape[2] <= MAX_UPDATE_DIM and rows.shape[1] <= MAX_NEIGHBORS
    return small and table.shape[1] % WIDEST_VECTOR == 0


def attention(table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    """Scaled dot-product attention within regions.

    Args:
        table (Tensor): ``(M, 3*A)`` float32 queries, keys and values of tokens.
        rows (Tensor): ``(R, K)`` int64 tokens of each region.
        num_heads (int): Heads; divides A.

    Returns:
        Tensor: ``(R, K, A)``.

    Raises:
        IndexError: A row is outside the table.
    """
    width = table.shape[1] // 3
    found = table.new_empty(*rows.shape, width)
    _call(
        'region_attention',
        table,
        _long(len(table)),
        rows,
        _long(len(rows)),
        rows.shape[1],
        width,
        num_heads,
        found,
    )
    return found


def attention_gradient(gradient: Tensor, table: Tensor, rows: Tensor, num_heads: int) -> Tensor:
    """What the table (M, 3*A) of :func:`attention` gets of the gradient (R, K, A).

    Raises:
        IndexError: A row is outside the table.
    """
    near = table.new_empty(*rows.shape, table.shape[1])
    sizes = (_long(len(rows)), rows.shape[1], table.shape[1] // 3, num_heads)
    _call('region_attention_gradient', gradient, table, _long(len(table)), rows, *sizes, near)
    return torch.zeros_like(table).index_add_(0, rows.flatten(), near.flatten(0, 1))


def maxima(table: Tensor, rows: Tensor, update: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Maxima over each region's neighbours of ``token + weight @ update``, and the neighbours that they are of.

    Args:
        table (Tensor): ``(M, C)`` float32 tokens.
        rows (Tensor): ``(R, K)`` int64 neighbours of each region.
        update (Tensor): ``(R, K, D)``.
        weight (Tensor): ``(C, D)``.

    Returns:
        tuple[Tensor, Tensor]: ``(R, C)`` maxima and ``(R, C)`` uint8 places in 0 to K-1, of equal neighbours the first.

    Raises:
        IndexError: A row is outside the table.
    """
    pooled = table.new_empty(rows.shape[0], table.shape[1])
    places = torch.empty_like(pooled, dtype=torch.uint8)
    of_table = (table, _long(len(table)), table.shape[1], rows, _long(len(rows)), rows.shape[1])
    _call('region_maxima', *of_table, update, update.shape[2], weight.T, pooled, places)
    return pooled, places


def maxima_gradient(
    gradient: Tensor, table_rows: int, rows: Tensor, places: Tensor, update: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What the table, the update and the weight of :func:`maxima` get of the gradient (R, C) of the maxima.

    Raises:
        IndexError: A row is outside the table.
    """
    for_table = gradient.new_zeros(table_rows, gradient.shape[1])
    for_update = update.new_empty(update.shape)
    for_weight = weight.new_empty(weight.shape)
    sizes = (_long(table_rows), gradient.shape[1], rows, _long(len(rows)), rows.shape[1])
    written = (for_table, for_update, for_weight)
    _call('region_maxima_gradient', gradient, *sizes, places, update, weight, update.shape[2], *written)
    return for_table, for_update, for_weight


def _long(number: int) -> ctypes.c_int64:
    """Of the type in which C takes what may be large."""
    return ctypes.c_int64(number)


def _call(name: str, *arguments: Tensor | ctypes.c_int64 | int) -> None:
    """Call a kernel with tensors and numbers; those that it writes to are new, so they are contiguous."""
    kept = [value.contiguous() if isinstance(value, Tensor) else value for value in arguments]
    given = [ctypes.c_void_p(value.data_ptr()) if isinstance(value, Tensor) else value for value in kept]
    if getattr(library(), name)(*given, torch.get_num_threads()):
        raise IndexError('a region has a token that is outside the table')


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
    partial = file.with_name(f'.{file.name}.{os.getpid()}.partial')
    try:
        subprocess.run(
            [*command_line, '-o', str(partial), str(SOURCE), '-lm'],
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


def _caches() -> Path:
    """Where compiled kernels are kept, https://specifications.freedesktop.org/basedir-spec."""
    caches = Path(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'))
    return caches / 'point_peft' / 'kernels'
