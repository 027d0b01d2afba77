"""The files of a classifier's test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.image import imread

from point_peft.evaluation.class_report import ClassReport, Prediction
from point_peft.visualization import class_report
from point_peft.visualization.class_report import plot_class_report, write_class_report

CLASSES = ('$cap$', 'mug')


def predictions(*scores: float) -> list[Prediction]:
    """Objects of the first class that are taken for it with these probabilities."""
    return [Prediction(f'cap/{number}.npy', 0, (score, 1 - score)) for number, score in enumerate(scores)]


def test_files(tmp_path: Path, monkeypatch) -> None:
    """Mistakes are shown, the worst first; without any there is no page, and none of an earlier test stays."""
    shown = []
    monkeypatch.setattr(
        class_report, 'write_page', lambda clouds, path, title: (shown.extend(clouds), path.touch())
    )
    cloud = np.random.default_rng(0).random((20, 3))
    report = ClassReport(CLASSES, predictions(0.9, 0.4, 0.1))
    given = dict(cloud_of=lambda one: cloud, title='x', about=dict(epoch=3))
    names = write_class_report(report, tmp_path, **given)
    assert [found.title.splitlines()[0] for found in shown] == ['cap/2.npy', 'cap/1.npy']
    assert (
        shown[0].title.splitlines()[1:] == ['true: $cap$', 'predicted: mug (90 %)']
        and shown[0].right is False
    )
    assert set(names) == {path.name for path in tmp_path.iterdir()} and 'mistakes.html' in names
    content = json.loads((tmp_path / 'report.json').read_text())
    assert content['epoch'] == 3 and content['confusion_matrix'] == [[1, 2], [0, 0]]
    assert imread(tmp_path / 'report.png').size
    write_class_report(ClassReport(CLASSES, predictions(0.9)), tmp_path, **given)
    assert not (tmp_path / 'mistakes.html').exists()


def test_picture() -> None:
    """A matrix with the numbers of objects, and beside each of its rows the class with what is found of it."""
    matrix, classes = plot_class_report(ClassReport(CLASSES, predictions(0.9, 0.4, 0.1)), title='x').axes
    assert sorted(text.get_text() for text in matrix.texts) == ['1', '2']
    assert [text.get_text() for text in classes.texts] == ['1 of 3, precision 100 %', '0 of 0, precision 0 %']
    assert matrix.get_ylim() == classes.get_ylim()
