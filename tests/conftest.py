"""Fixtures of all tests."""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent

for folder in (TESTS, TESTS / 'data', TESTS / 'reference'):
    sys.path.insert(0, str(folder))

from tiers import TIERS, fail_if_incomplete  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the scripts of ``tools`` say of the environment that they have made."""
    parser.addoption(
        '--tier', choices=list(TIERS), help='fail for tests that are skipped although this tier is installed'
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tests that are skipped."""
    report = yield
    fail_if_incomplete(report, item.config.getoption('--tier'))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Files that are skipped."""
    report = yield
    fail_if_incomplete(report, collector.config.getoption('--tier'))
    return report


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test starts with the same random numbers, alone or after others."""
    torch.manual_seed(0)
    np.random.seed(0)


class Log(list):
    """Messages of MMEngine's logger as pairs (level name, message)."""

    def at(self, level: str) -> list[str]:
        """Messages of one level, such as ``WARNING``."""
        return [message for name, message in self if name == level]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """What the test logs; nothing is printed."""
    records = Log()

    def handle(self: MMLogger, record: object) -> None:
        records.append((record.levelname, record.getMessage()))

    monkeypatch.setattr(MMLogger, 'handle', handle)
    return records


@pytest.fixture(scope='session')
def load_tool() -> Callable[[str], ModuleType]:
    """Function that imports a script of ``tools/`` by its path there."""

    def load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f'tools_{Path(path).stem}', ROOT / 'tools' / path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load


FULL: list[str] = []
"""Ends of the names of files that cannot be opened to write."""


def _refuse(event: str, arguments: tuple) -> None:
    """Audit hook that lets there be no room for the files of :data:`FULL`, also under the name they have meanwhile."""
    if event == 'open' and FULL and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
        name = str(arguments[0]).removesuffix(f'.{os.getpid()}.partial')
        if name.endswith(tuple(FULL)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))


@pytest.fixture(scope='session')
def _audited() -> None:
    """The hook lasts as long as the process."""
    sys.addaudithook(_refuse)


@pytest.fixture
def full_disk(_audited: None) -> Iterator[list[str]]:
    """A list that takes ends of the names of files for which the disk has no room, until the test is over."""
    yield FULL
    FULL.clear()


class Exploit:
    """A pickle that creates a file when it is opened."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable, tuple]:
        return Path.touch, (self.trace,)


@pytest.fixture
def malicious(tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint that runs code when it is unpickled, and the file that this code creates."""
    trace = tmp_path / 'executed'
    file = tmp_path / 'malicious.pth'
    torch.save({'state_dict': Exploit(trace)}, file)
    return file, trace


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    """A pre-trained file of the toy's backbone."""
    from toy_engine import write_pretrained

    return write_pretrained(tmp_path / 'pretrained.pth')
