"""The picture of a comparison."""

from __future__ import annotations

import numpy as np
import pytest

from point_peft.visualization import MethodResult, plot_results
from point_peft.visualization.results import RIGHT, WRONG

RESULTS = [
    MethodResult('Point-PEFT', 192800, 91.25, [(1, 60.0), (2, 90.0)]),
    MethodResult('linear probing', 4112, 70.0, [(1, 50.0), (2, 70.0)]),
]
CLOUDS = [np.random.default_rng(i).random((30, 3)) for i in range(7)]


def test_titles_curves_and_bars() -> None:
    """Right and wrong predictions differ in color, wrong ones name the true class; bars carry the numbers."""
    predicted = ['chair'] * 7
    true = ['chair'] * 6 + ['stool']
    figure = plot_results(RESULTS, clouds=CLOUDS, predicted=predicted, true=true, title='Some clouds')
    top, bottom = figure.subfigs
    assert top.get_suptitle() == 'Some clouds'
    assert [axes.get_title() for axes in top.axes] == ['chair'] * 6 + ['chair\n(true: stool)']
    assert [axes.title.get_color() for axes in top.axes] == [RIGHT] * 6 + [WRONG]
    curves, bars = bottom.axes
    assert [line.get_ydata().tolist() for line in curves.lines] == [[60, 90], [50, 70]]
    assert [patch.get_height() for patch in bars.patches] == [91.25, 70]
    assert [text.get_text() for text in bars.texts] == ['91.2 %\n192,800 trained', '70.0 %\n4,112 trained']


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(true=['chair']), '7 predicted classes came with 1 true ones'),
        (dict(results=[]), 'none were given'),
        (dict(clouds=[], predicted=[], true=[]), 'no cloud to draw'),
    ],
)
def test_bad_input(changes: dict, message: str) -> None:
    """Lists that do not go together, and nothing to show."""
    arguments = dict(
        results=RESULTS, clouds=CLOUDS, predicted=['chair'] * 7, true=['chair'] * 7, title='Some clouds'
    )
    with pytest.raises(ValueError, match=message):
        plot_results(**{**arguments, **changes})
