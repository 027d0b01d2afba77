"""Tables as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from point_peft.io.errors import ConfigError
from point_peft.io.rows import check_format, read_rows, write_rows


def test_formats(tmp_path: Path) -> None:
    """The same rows as CSV and JSON; a column that a row lacks is empty."""
    rows = [dict(file='a, "b"\n.npy', error=None, x=0.5), dict(file='c', y=1)]
    write_rows(tmp_path / 'new' / 'rows.json', rows)
    assert json.loads((tmp_path / 'new' / 'rows.json').read_text()) == rows
    write_rows(tmp_path / 'rows.csv', rows)
    assert read_rows(tmp_path / 'rows.csv') == [
        dict(file='a, "b"\n.npy', error='', x='0.5', y=''),
        dict(file='c', error='', x='', y='1'),
    ]
    with pytest.raises(ConfigError, match=r"--out 'rows.xls' must end in .csv or .json"):
        check_format('rows.xls', '--out')
