"""How costs grow with a size."""

from __future__ import annotations

import pytest

from point_peft.experiments import growth as module
from point_peft.experiments.contestant import Conditions
from point_peft.experiments.costs import Costs
from point_peft.experiments.growth import TITLES, Growth, measure_growth


def row(value: float, **changes: float) -> Costs:
    """Costs that are all the same number."""
    return {**dict.fromkeys(TITLES, value), **changes}


GROWTH = Growth(
    'num_points',
    [1000, 2000, 4000],
    {'a': [row(n, infer_s=n**2, infer_gflops=0) for n in (1, 2, 4)], 'b': [row(1234)] * 3},
)


def test_exponents() -> None:
    """Slopes in logarithms, by least squares; none of what is zero somewhere."""
    found = GROWTH.exponents()
    assert found['a']['train_step_s'] == pytest.approx(1) and found['a']['infer_s'] == pytest.approx(2)
    assert 'infer_gflops' not in found['a'] and found['b']['peak_mb'] == pytest.approx(0)
    bent = Growth('x', [1, 2, 4], {'c': [row(1), row(2), row(16)]})
    assert bent.exponents()['c']['peak_mb'] == pytest.approx(2)


def test_table() -> None:
    """A row per value, exponents last, for each config; a cell without an exponent is empty."""
    first, second = GROWTH.table().split('\n\n`b`\n\n')
    lines = first.splitlines()
    assert lines[0] == '`a`' and len(lines) == 2 + 2 + 3 + 1
    assert lines[4] == '| 1000 | 1 | 1 | 1 | 1 | 1 | 0 | 1 | 1 |'
    assert lines[-1] == '| exponent | 1.00 | 2.00 | 1.00 | 1.00 | 1.00 |  | 1.00 | 1.00 |'
    assert '| 1 234 |' in second and '-0.00' not in second


def test_picture() -> None:
    """Time and memory, a line per config with its exponent, both logarithmic."""
    for axes in GROWTH.picture().axes:
        assert [axes.get_xscale(), axes.get_yscale()] == ['log', 'log'] and len(axes.lines) == 2
        texts = [text.get_text() for text in axes.get_legend().get_texts()]
        assert texts == ['exponent 1.00', 'exponent 0.00']
        assert list(axes.lines[0].get_xdata()) == GROWTH.values


def test_what_does_not_grow_looks_flat() -> None:
    """Noise of a percent fills no picture."""
    noisy = Growth('x', [1, 10, 100], {'c': [row(1), row(1.01), row(0.99)]})
    for axes in noisy.picture().axes:
        low, high = axes.get_ylim()
        assert high / low == pytest.approx(10) and low < 0.99 < 1.01 < high
    low, high = GROWTH.picture().axes[0].get_ylim()
    assert high / low > 1000


@pytest.mark.parametrize(
    'size, told', [('threads', (dict(threads=3), {})), ('model.x.y', ({}, {'model.x.y': '3'}))]
)
def test_measuring(size: str, told: tuple[dict, dict], monkeypatch: pytest.MonkeyPatch) -> None:
    """A condition or an option of all configs takes one value after the other, from small to large."""
    calls = []

    def measured(configs: list[str], conditions: Conditions, options: dict[str, str]) -> dict[str, Costs]:
        calls.append((conditions, options))
        return {config: row(len(calls)) for config in configs}

    monkeypatch.setattr(module, 'measure_costs', measured)
    found = measure_growth(['a', 'b'], Conditions(repeats=2), {'k': 'v'}, size, [3, 1])
    assert calls[-1] == (Conditions(repeats=2, **told[0]), {'k': 'v', **told[1]})
    assert found.values == [1, 3] and [costs['peak_mb'] for costs in found.costs['b']] == [1, 2]
