"""Running the project's tools in forked processes, which need not import torch again."""

from __future__ import annotations

import logging
import os
import resource
import runpy
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

TIMEOUT = 240.0
"""Seconds after which a process counts as hanging."""


def warm_up() -> None:
    """Import what the tools import, and let a process format the text of a config once, not at every checkpoint."""
    import matplotlib.figure  # noqa: F401
    import mmengine.config.config as mmengine_config
    import torch._dynamo  # noqa: F401 - the first optimizer imports it

    import point_peft.apis
    import point_peft.datasets
    import point_peft.engine.hooks
    import point_peft.evaluation
    import point_peft.methods  # noqa: F401

    layout, known = mmengine_config.FormatCode, {}

    def format_once(text: str, **options: Any) -> Any:
        if text not in known:
            known[text] = layout(text, **options)
        return known[text]

    mmengine_config.FormatCode = format_once


class Child:
    """A tool in a process of its own, whose output goes to a file.

    Args:
        output (Path): The file.
        tool (str): Script below the root of the repository.
        *arguments: Its arguments.
        before (Callable | None): Called in the process before the tool.
    """

    def __init__(
        self, output: Path, tool: str, *arguments: object, before: Callable[[], None] | None = None
    ) -> None:
        self.output_file = output
        self.begin = time.monotonic()
        self.code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _become(output, tool, [str(argument) for argument in arguments], before)

    def poll(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, seconds: float = TIMEOUT) -> int:
        """Wait for the end; a process that hangs is killed, and its code is that of SIGKILL."""
        end = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f'still running after {seconds:.0f} s: {self.tail()}')
            time.sleep(0.02)
        assert self.code is not None
        return self.code

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)

    def limit_files(self, size: int) -> None:
        """Let every write behind ``size`` bytes of a file fail from now on, as on a full disk; -1 ends that."""
        if self.poll() is None:
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, -1))

    @property
    def output(self) -> str:
        """What it has printed."""
        return self.output_file.read_text(errors='replace')

    def tail(self) -> str:
        """The end of its output, in one line."""
        return ' / '.join(self.output.strip().splitlines()[-3:])[-600:]


def run(output: Path, tool: str, *arguments: object, before: Callable[[], None] | None = None) -> Child:
    """Run a tool to its end."""
    child = Child(output, tool, *arguments, before=before)
    child.wait()
    return child


def _become(output: Path, tool: str, arguments: list[str], before: Callable[[], None] | None) -> None:
    """Turn the forked process into the tool; never returns."""
    code = 70
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(handle, stream)
        os.chdir(ROOT)
        sys.argv = [tool, *arguments]
        if before is not None:
            before()
        runpy.run_path(str(ROOT / tool), run_name='__main__')
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        try:
            logging.shutdown()
            sys.stdout.flush()
        finally:
            os._exit(code)
