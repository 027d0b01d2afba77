"""Names of classes, files and methods are drawn and written letter by letter."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from point_peft.evaluation.classification import _format_table as class_table
from point_peft.evaluation.confusion_matrix import save_confusion_matrix
from point_peft.experiments import MethodRow, SettingReport, plot_report
from point_peft.visualization import (
    ShownCloud,
    plot_clouds,
    plot_curves,
    plot_shown,
    save_figure,
    write_page,
)

NAMES = (
    r'$\frac{$',
    r'a$b$\nosuchmacro',
    '_hidden',
    '[bold]x[/] {0} %s',
    '</script><script>alert(1)</script>',
    '<b onmouseover=alert(1)>&amp;',
    '\x1b[31mred\x07',
    os.fsdecode(b'st\xfchle'),
    'line\nbreak\u2028\u202e',
)
CLOUD = np.random.default_rng(0).random((20, 3))


@pytest.fixture(autouse=True)
def no_missing_glyphs() -> None:
    warnings.filterwarnings('ignore', message='Glyph')


def shown(name: str) -> list[ShownCloud]:
    labels = {'true': np.arange(20) % 2, name: np.arange(20) % 2}
    return [ShownCloud(name, CLOUD, labels=labels, names={0: name, 1: 'other'}), ShownCloud(name, CLOUD)]


@pytest.mark.parametrize('name', NAMES)
def test_pictures(tmp_path: Path, name: str) -> None:
    row = MethodRow(name, 10, dict(last=(50.0, 1.0)), None, 2.0, 0.1)
    reports = [SettingReport(setting, 'last', 2, [row]) for setting in (name, 'other')]
    figures = [
        plot_clouds([CLOUD], [name]),
        plot_curves({name: [(1, 2)], 'b': [(1, 0)]}, x_label=name, y_label=name),
        plot_report(reports, title=name),
        plot_shown(shown(name)),
        plot_shown(shown(name)[:1]),
    ]
    for index, figure in enumerate(figures):
        save_figure(figure, tmp_path / f'{index}.png')
        assert (tmp_path / f'{index}.png').stat().st_size > 0
    legend = figures[1].axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()][1] == 'b'
    save_confusion_matrix(np.eye(2, dtype=int), [name, 'b'], out_dir=tmp_path)
    assert (tmp_path / 'confusion_matrix.png').is_file()


@pytest.mark.parametrize('name', NAMES)
def test_page(tmp_path: Path, name: str) -> None:
    write_page(shown(name), tmp_path / 'page.html', title=name)
    page = (tmp_path / 'page.html').read_text(encoding='utf-8')
    own = page[page.rindex('<script type="application/json"') :]
    for letters in ('<script>alert', '<b onmouse', '\x1b', '\x07', '\u2028', '\u202e'):
        assert letters not in own
    assert name not in page[: page.index('</head>')] or name.isprintable()


def test_table_of_classes() -> None:
    table = class_table(
        ['\x1b[2J', os.fsdecode(b'\xff'), 'c'], np.array([1, 2, 0]), np.array([100.0, 50.0, 0.0])
    )
    assert '\\x1b[2J        1    100.00' in table and '\\xff' in table
    json.dumps(table).encode()
