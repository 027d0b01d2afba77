"""The detection tier of ``tools/setup_env.sh``, with a stand-in for Python that installs nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

STAND_IN = """#!/bin/sh
echo "$*" >>"$VENV/calls"
case "$*" in
    *"[:2] >"*) exit {too_new} ;;
    --version) echo 'Python 3.{minor}.1' ;;
    -\\ mmcv*) exit {lacks_operations} ;;
    *no-build-isolation\\ mmcv*)
        echo 'Building wheels'
        echo '  [1/2] c++ -I/include -c /tmp/mmcv/ops/csrc/pytorch/nms.cpp -o /tmp/nms.o'
        exit {compiled} ;;
esac
"""
"""Takes all commands, but answers whether it is too new and whether mmcv has its operations, and "compiles" it."""


def set_up(
    folder: Path,
    *tiers: str,
    minor: int = 11,
    has_operations: bool = False,
    compiled: int = 0,
    mmcv: str = 'compiled',
    **env: str,
) -> subprocess.CompletedProcess:
    """Run the script on an environment of the stand-in."""
    python = folder / 'venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(
        STAND_IN.format(
            too_new=int(minor > 12), minor=minor, lacks_operations=int(not has_operations), compiled=compiled
        )
    )
    python.chmod(0o755)
    return subprocess.run(
        ['bash', 'tools/setup_env.sh', *tiers],
        cwd=ROOT,
        env={**os.environ, 'VENV': str(folder / 'venv'), 'MMCV': mmcv, **env},
        capture_output=True,
        text=True,
    )


def test_too_new_python(tmp_path: Path) -> None:
    """Said before anything is installed; other tiers take it."""
    done = set_up(tmp_path / 'a', 'runtime', 'detection', minor=13)
    assert done.returncode == 1 and 'installing' not in done.stdout
    assert done.stderr.startswith('error: the detection tier needs Python 3.10 to 3.12')
    assert 'has Python 3.13.1; make another: PYTHON=python3.12 VENV=.venv-detection bash' in done.stderr
    assert set_up(tmp_path / 'b', 'runtime', 'tests', minor=13).returncode == 0


def test_no_compiler(tmp_path: Path) -> None:
    """One sentence instead of what pip would print."""
    done = set_up(tmp_path, 'runtime', 'detection', CXX=str(tmp_path / 'missing'))
    assert done.returncode == 1
    assert done.stderr.startswith(
        'error: mmcv==2.1.0 has to be compiled, and there is no C++ compiler; install one'
    )


def test_compilation_is_announced(tmp_path: Path) -> None:
    """With the time it takes; every file is a line; checked afterwards."""
    done = set_up(tmp_path, 'runtime', 'detection', CXX='sh')
    assert '== compiling mmcv==2.1.0: ten minutes to an hour' in done.stdout
    assert done.stdout.endswith('\n  [1/2] nms\n') and 'Building' not in done.stdout
    assert done.returncode == 1 and 'mmcv==2.1.0 came without its operations' in done.stderr


def test_compilation_that_fails(tmp_path: Path) -> None:
    """What the compiler said last, and where the rest is."""
    done = set_up(tmp_path, 'runtime', 'detection', CXX='sh', compiled=1)
    assert done.returncode == 1
    assert 'Building wheels' in done.stderr
    assert 'error: mmcv==2.1.0 could not be compiled, see above; all that was said is in ' in done.stderr
    assert 'Building wheels' in (tmp_path / 'venv/mmcv.log').read_text()


def test_unknown_kind_of_mmcv(tmp_path: Path) -> None:
    done = set_up(tmp_path, 'runtime', 'detection', mmcv='full')
    assert done.returncode == 1 and 'MMCV=full is not known; give MMCV=compiled or MMCV=lite' in done.stderr


@pytest.mark.parametrize('has_operations', [False, True])
def test_nothing_to_compile_without_a_gpu(has_operations: bool, tmp_path: Path) -> None:
    """A machine without CUDA's compiler needs none; operations that are there stay."""
    done = set_up(
        tmp_path,
        'runtime',
        'detection',
        mmcv='lite',
        has_operations=has_operations,
        CXX=str(tmp_path / 'missing'),
    )
    assert done.returncode == 0 and 'compiling' not in done.stdout
    installed = (tmp_path / 'venv/calls').read_text()
    assert ('-r requirements/detection.txt' in installed) != has_operations
    assert ('/venv/detection.txt' in installed) == has_operations


@pytest.mark.parametrize('tiers', [('runtime', 'detection'), ('runtime',)])
def test_compiled_only_where_needed(tiers: tuple[str, ...], tmp_path: Path) -> None:
    """Not again, and not for the other tiers; the second time there is nothing to do."""
    first, second = (set_up(tmp_path, *tiers, has_operations=True) for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert 'installing' in first.stdout and 'compiling' not in first.stdout and second.stdout == ''
