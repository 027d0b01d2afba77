"""Curves of a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from point_peft.visualization import plot_curves, read_curve, step_unit

LOG = """{"loss": 2.5, "lr": 0.1, "iter": 10, "step": 10}
{"loss": 1.5, "lr": 0.1, "iter": 20, "step": 20}

{"overall_accuracy": 50.0, "step": 1}
{"test/overall_accuracy": 40.0, "step": 1}
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log as MMEngine writes it."""
    path = tmp_path / 'scalars.json'
    path.write_text(LOG)
    return path


def test_read_curve(log: Path) -> None:
    """Only the lines that have the quantity, in their order."""
    assert read_curve(log, 'loss') == [(10, 2.5), (20, 1.5)]
    assert read_curve(log, 'overall_accuracy') == [(1, 50.0)]


def test_step_unit(log: Path) -> None:
    """What a training step logs counts iterations; metrics, of whatever name, count epochs."""
    log.write_text(log.read_text() + '{"instance_miou": 40.0, "step": 1}\n')
    units = {name: step_unit(log, name) for name in ('loss', 'lr', 'test/overall_accuracy', 'instance_miou')}
    assert units == dict.fromkeys(units, 'epoch') | dict(loss='iteration', lr='iteration')


@given(st.lists(st.tuples(st.integers(0, 9999), st.floats(-1e6, 1e6)), min_size=1, max_size=20))
def test_read_what_was_written(tmp_path_factory: pytest.TempPathFactory, curve: list) -> None:
    """Any curve survives the file."""
    path = tmp_path_factory.mktemp('log') / 'scalars.json'
    path.write_text('\n'.join(json.dumps(dict(step=step, value=value)) for step, value in curve))
    assert read_curve(path, 'value') == curve


def test_plot_curves() -> None:
    """A line per curve with its name, at its values."""
    figure = plot_curves({'a': [(1, 2), (3, 4)], 'b': [(1, 0)]}, x_label='epoch', y_label='percent')
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ['a', 'b']
    assert axes.lines[0].get_xydata().tolist() == [[1, 2], [3, 4]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ('epoch', 'percent')


@pytest.mark.parametrize('curves', [{}, {'full': [], 'lora': [(1, 2)]}])
def test_nothing_to_plot(curves: dict) -> None:
    """A curve without points is named."""
    with pytest.raises(ValueError, match='full' if curves else 'none were given'):
        plot_curves(curves, x_label='epoch', y_label='percent')


def test_unusable_logs(tmp_path: Path, log: Path) -> None:
    """Missing file, missing quantity, and a file that is no log."""
    with pytest.raises(FileNotFoundError, match='give the vis_data/scalars.json'):
        read_curve(tmp_path / 'none.json', 'loss')
    with pytest.raises(
        ValueError, match="has no 'acc'; it has iter, loss, lr, overall_accuracy, test/overall_accuracy"
    ):
        read_curve(log, 'acc')
    for text in ('not json', '[1, 2]', '{"loss": 1}', '3'):
        log.write_text(text)
        with pytest.raises(ValueError, match='is not a log of one JSON object|has no'):
            read_curve(log, 'loss')
