from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from point_peft.engine.runtime.protocol import (
    BEST_ON_TEST,
    BEST_ON_VAL,
    LAST,
    EpochResult,
    best_epoch,
    format_protocol,
    protocol_rows,
)

HISTORY = [
    EpochResult(1, dict(acc=50.0), dict(acc=40.0)),
    EpochResult(2, dict(acc=70.0), dict(acc=60.0)),
    EpochResult(3, dict(acc=70.0), dict(acc=65.0)),
    EpochResult(4, dict(acc=60.0), {}),
]


def test_rows_by_hand() -> None:
    rows = protocol_rows(HISTORY, 'acc')
    assert list(rows) == [LAST, BEST_ON_VAL, BEST_ON_TEST]
    assert [row.epoch for row in rows.values()] == [4, 2, 3]


def test_table_by_hand() -> None:
    lines = format_protocol(protocol_rows(HISTORY, 'acc'), ['acc']).splitlines()
    assert [line.split()[-3:] for line in lines[1:]] == [
        ['4', '60.00', '-'],
        ['2', '70.00', '60.00'],
        ['3', '70.00', '65.00'],
    ]
    assert lines[0].split() == ['epoch', 'val/acc', 'test/acc']
    assert lines[3].startswith('best on test (as papers report; never used for selection)')
    assert len({len(line) for line in lines}) == 1


def test_empty_history() -> None:
    assert best_epoch([], 'val', 'acc') is None
    assert format_protocol(protocol_rows([], 'acc'), ['acc']).count('-') == 9
    assert protocol_rows([EpochResult(1, {}, dict(acc=1.0))], 'acc')[BEST_ON_VAL] is None


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=20),
    st.lists(st.floats(0, 100), min_size=20, max_size=20),
)
def test_test_scores_never_move_the_selection(val: list[float], test: list[float]) -> None:
    history = [
        EpochResult(index + 1, dict(acc=score), dict(acc=test[index])) for index, score in enumerate(val)
    ]
    without = [EpochResult(result.epoch, result.val) for result in history]
    chosen = protocol_rows(history, 'acc')[BEST_ON_VAL]
    assert chosen.epoch == protocol_rows(without, 'acc')[BEST_ON_VAL].epoch
    assert chosen.val['acc'] == max(val)
    assert val.index(max(val)) + 1 == chosen.epoch
