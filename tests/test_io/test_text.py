from __future__ import annotations

import io
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from point_peft.io import progress
from point_peft.io.progress import plain_console, track
from point_peft.io.text import JOINERS, label, printable, printable_lines


@pytest.mark.parametrize(
    ('name', 'shown'),
    [
        ('chair', 'chair'),
        ('a b', 'a b'),
        ('Stühle, 椅子', 'Stühle, 椅子'),
        ('\x1b[31mred', '\\x1b[31mred'),
        ('two\nlines\ttab\r', 'two\\nlines\\ttab\\r'),
        ('\x9b2J\x7f\0', '\\x9b2J\\x7f\\x00'),
        ('abc\u202egnp', 'abc\\u202egnp'),
        ('line\u2028break', 'line\\u2028break'),
        (os.fsdecode(b'st\xfchle'), 'st\\xfchle'),
        (Path(os.fsdecode(b'/data/\xff')), '/data/\\xff'),
        (b'st\xfchle', 'st\\xfchle'),
        ('\ud800', '\\ud800'),
        ('می\u200cخواهم', 'می\u200cخواهم'),
        (7, '7'),
    ],
)
def test_printable(name: object, shown: str) -> None:
    assert printable(name) == shown


@given(st.text(alphabet=st.characters(), max_size=20))
def test_anything_becomes_one_harmless_line(name: str) -> None:
    shown = printable(name)
    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert {unicodedata.category(c) for c in shown if c not in JOINERS}.isdisjoint({'Cc', 'Cf', 'Cs'})


def test_own_layout_stays() -> None:
    assert printable_lines('a\tb\nc\x1b') == 'a\tb\nc\\x1b'
    assert label('$\\frac{$\n\x07') == r'\$\frac{\$' + '\n\\x07'


def test_table_shows_markup_and_emoji_as_letters(capsys: pytest.CaptureFixture) -> None:
    table = Table('file')
    table.add_row('[red]a[/red] [/] :smile:')
    plain_console().print(table)
    assert '[red]a[/red] [/] :smile:' in capsys.readouterr().out


def test_bar_of_progress_shows_its_description_as_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120, markup=False, emoji=False)
    monkeypatch.setattr(progress, 'plain_console', lambda: console)
    assert list(track(iter('abc'), 'Reading [/bold] {x} :smile: \x1b[2J\udcff', total=3)) == ['a', 'b', 'c']
    assert 'Reading [/bold] {x} :smile: \\x1b[2J\\xff' in stream.getvalue()
