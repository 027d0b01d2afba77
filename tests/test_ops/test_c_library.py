"""How kernels in C come to be compiled and kept."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from point_peft.ops import (
    backends,
    c_library,
    farthest_point_sample,
    farthest_point_sample_loop,
    thin_kernels,
)
from point_peft.ops.region_kernels import FLAGS, SOURCE

pytestmark = pytest.mark.skipif(
    c_library.compiler() is None, reason='needs Linux, an x86 processor with AVX2 and a C compiler'
)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Caches of a user's that are empty, and nothing remembered before or after."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    _forget()
    yield tmp_path
    _forget()


def _forget() -> None:
    for remembered in (c_library.library, backends.c_works):
        remembered.cache_clear()


def assert_points_are_sampled() -> None:
    points = torch.randn(2, 60, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(farthest_point_sample(points, 20), farthest_point_sample_loop(points, 20))


def test_compiled_once(fresh: Path) -> None:
    """What is in the caches is loaded, unless another user could have changed it or it is damaged."""
    c_library.library(SOURCE, FLAGS)
    (file,) = (fresh / 'point_peft/kernels').iterdir()
    compiled = file.stat()
    assert not compiled.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    c_library.library.cache_clear()
    c_library.library(SOURCE, FLAGS)
    assert file.stat().st_mtime_ns == compiled.st_mtime_ns
    file.unlink()  # what is loaded must not be written to
    file.write_bytes(b'no library')
    file.chmod(0o777)
    c_library.library.cache_clear()
    c_library.library(SOURCE, FLAGS)
    assert file.read_bytes() != b'no library' and not file.stat().st_mode & stat.S_IWOTH
    file.unlink()
    file.write_bytes(b'cut off')
    c_library.library.cache_clear()
    assert c_library.library(SOURCE, FLAGS).region_attention


def test_another_source_is_another_library(fresh: Path) -> None:
    """And so are other flags."""
    (fresh / 'twice.c').write_text('int twice(int number, int threads) { return 2 * number; }')
    assert c_library.call(fresh / 'twice.c', 'twice', 21) == 42
    c_library.library.cache_clear()
    (fresh / 'twice.c').write_text('int twice(int number, int threads) { return FACTOR * number; }')
    assert c_library.call(fresh / 'twice.c', 'twice', 21, flags=('-DFACTOR=3',)) == 63
    assert c_library.call(fresh / 'twice.c', 'twice', 21, flags=('-DFACTOR=4',)) == 84


def test_threads_that_need_it_at_once(fresh: Path) -> None:
    """Each gets a whole library, and nothing is left beside the one that stays."""
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: c_library.library.__wrapped__(SOURCE, FLAGS), range(4)))
    assert all(library.region_attention for library in found)
    assert len(list((fresh / 'point_peft/kernels').iterdir())) == 1


def test_no_place_to_keep_them(fresh: Path) -> None:
    """A home that cannot be written to costs the compilation in every process, and nothing else."""
    (fresh / 'point_peft').write_text('a file where the directory should be')
    assert backends.c_works()
    assert_points_are_sampled()


def test_no_compiler(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain torch, without a word where there is none, with a sentence where it fails."""
    said: list[str] = []
    monkeypatch.setattr(backends, '_warn', said.append)
    monkeypatch.setenv('CC', 'there-is-no-such-compiler')
    assert not backends.c_works() and not said
    backends.c_works.cache_clear()
    monkeypatch.setenv('CC', 'false')
    assert not backends.c_works()
    assert len(said) == 1 and 'our kernels in C do not compile here' in said[0]
    assert_points_are_sampled()


@pytest.mark.parametrize(
    'wrong',
    [torch.zeros(4, 8, dtype=torch.float64), torch.zeros(4, 8, device='meta'), torch.zeros(4, 8).bfloat16()],
)
def test_what_c_cannot_read_is_refused(wrong: torch.Tensor) -> None:
    """Another type or memory would be garbage."""
    with pytest.raises(
        ValueError, match=f'a kernel in C got a Tensor of {wrong.dtype} on {wrong.device.type}'
    ):
        thin_kernels.expand(None, wrong, torch.zeros(8, 16))
