"""Drawing the curves of trainings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from matplotlib.image import imread

from point_peft.io.errors import MissingFileError


@pytest.fixture
def analyze(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    """The tool as a module."""
    return load_tool('analysis_tools/analyze_logs.py')


def write_log(work_dir: Path, start: str, accuracy: float) -> Path:
    """A log of one epoch."""
    path = work_dir / start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(f'{{"loss": 1.0, "iter": 7, "step": 7}}\n{{"overall_accuracy": {accuracy}, "step": 1}}\n')
    return path


def test_newest_log(analyze: ModuleType, tmp_path: Path) -> None:
    """Of a training that was resumed the last start counts."""
    write_log(tmp_path, '20260101_000000', 50)
    newest = write_log(tmp_path, '20260102_000000', 60)
    assert analyze.newest_log(tmp_path) == newest


def test_picture(analyze: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Two trainings in one picture, whose path is printed."""
    work_dirs = [tmp_path / 'a', tmp_path / 'b']
    for number, path in enumerate(work_dirs):
        write_log(path, '20260101_000000', 50 + number)
    out = tmp_path / 'out' / 'curves.png'
    for key in ('overall_accuracy', 'loss'):
        analyze.main(argparse.Namespace(work_dirs=work_dirs, key=key, out=out))
        assert imread(out).shape[:2] == (440, 660)
    assert capsys.readouterr().out.split() == [str(out)] * 2


def test_bad_input(analyze: ModuleType, tmp_path: Path) -> None:
    """A directory without a log, and a quantity that was not logged."""
    with pytest.raises(MissingFileError, match='give the work dir of a training'):
        analyze.newest_log(tmp_path)
    write_log(tmp_path, '20260101_000000', 50)
    with pytest.raises(ValueError, match="has no 'mAP'; it has iter, loss, overall_accuracy"):
        analyze.main(argparse.Namespace(work_dirs=[tmp_path], key='mAP', out=tmp_path / 'curves.png'))
