"""The screen of a run: few lines before the first loss, a bar on a terminal, lines at intervals elsewhere."""

from __future__ import annotations

import os
import re
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import warm_python
from toy_engine import make_config
from toy_tools import environment, run_python, write_config

from point_peft.engine.runtime.bars import LoopBar
from point_peft.engine.runtime.runner import SparedRunner

MOST_LINES = 25
"""Before the first loss."""


def test_lines_before_the_first_loss(tmp_path: Path, pretrained: Path) -> None:
    """Lists are in the log file alone, and MMEngine warns of nothing that is not the user's doing."""
    code, output = run_python('tools/train.py', write_config(tmp_path / 'c.py', pretrained, epochs=2))
    assert code == 0, output
    before, first, _ = output.partition('Epoch(train)')
    assert first and before.count('\n') <= MOST_LINES, before
    assert 'Hooks will be executed' not in output
    assert re.search(r'Epoch\(train\) +\[2\]\[4/4\].* loss: ', output)
    (log,) = (tmp_path / 'work').glob('*/*.log')
    written = log.read_text()
    assert str(log) in before
    for listed in ('System environment:', 'Config:\n', 'Hooks will be executed', 'backbone.linear.weight'):
        assert listed in written
    assert 'will be deprecated' not in written


@pytest.mark.skipif(not hasattr(os, 'openpty'), reason='needs a pseudo-terminal')
def test_bar_on_a_terminal(tmp_path: Path) -> None:
    """Bars in place of lines at intervals, which are in the log file; results stay above; the cursor comes back."""
    config = write_config(tmp_path / 'c.py', epochs=2)
    code, screen = on_terminal('tools/train.py', config)
    assert code == 0, screen
    assert re.search(r'epoch 2/2 .*4/4 +loss \d\.\d{4} .* it/s +in 0:00:0\d', screen)
    assert 'validation ' in screen and 'test ' in screen
    assert 'Epoch(train)' not in screen and len(re.findall(r'Epoch\(val\) \[\d\]\[2/2\]', screen)) == 2
    assert screen.rindex('\x1b[?25h') > screen.rindex('\x1b[?25l')
    (log,) = (tmp_path / 'work').glob('*/*.log')
    assert len(re.findall(r'Epoch\(train\) +\[\d\]\[4/4\]', log.read_text())) == 2


def test_bar_ends_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Output and log have their streams back, whatever ended the training."""
    monkeypatch.setattr('point_peft.engine.hooks.logger.has_terminal', lambda: True)
    monkeypatch.setenv('FORCE_COLOR', '1')
    shown: list[bool] = []
    monkeypatch.setattr(LoopBar, 'advance', lambda self, *_, **__: shown.append(self.is_shown) or 1 / 0)
    runner = SparedRunner.from_cfg(make_config(tmp_path, epochs=1))
    streams = [sys.stdout, *(handler.stream for handler in runner.logger.handlers)]
    with pytest.raises(ZeroDivisionError):
        runner.train()
    assert shown == [True]
    assert streams == [sys.stdout, *(handler.stream for handler in runner.logger.handlers)]


def on_terminal(*command: object, columns: int = 100) -> tuple[int, str]:
    """Run a Python program on a pseudo-terminal; its exit code and what it wrote, without colors."""
    ours, theirs = os.openpty()
    parts: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(ours, parts))
    reader.start()
    variables = {**environment(), 'TERM': 'xterm', 'COLUMNS': str(columns), 'LINES': '40'}
    done = warm_python.run([sys.executable, *command], env=variables, output=theirs)
    os.close(theirs)
    reader.join()
    os.close(ours)
    return done.returncode, re.sub(r'\x1b\[[\d;]*m', '', b''.join(parts).decode(errors='replace'))


def read_all(terminal: int, parts: list[bytes]) -> None:
    """Take what is written, until the other side is closed, which Linux calls an error."""
    with suppress(OSError):
        while part := os.read(terminal, 65536):
            parts.append(part)
