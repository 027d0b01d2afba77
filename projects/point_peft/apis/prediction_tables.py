"""Predictions as tables: on the screen, and in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import Tensor

from ..evaluation.class_report import probability_columns
from ..io.text import printable
from .answers import Answer, class_names


def class_table(files: Sequence[str], scores: Sequence[Tensor], classes: Sequence[str], top_k: int) -> Table:
    """The ``top_k`` classes of every file with their probabilities, highest first."""
    table = Table('file', 'class', 'probability', box=SIMPLE_HEAD)
    for file, score in zip(files, scores):
        found = score.topk(min(top_k, len(score)))
        for rank, (value, index) in enumerate(zip(found.values.tolist(), found.indices.tolist())):
            name = printable(classes[index])
            table.add_row(printable(file) if rank == 0 else '', name, f'{value:.4f}')
    return table


def part_table(files: Sequence[str], parts: Sequence[Tensor], names: Sequence[str]) -> Table:
    """The parts of every file with their points and the share of them."""
    table = Table('file', 'part', 'name', 'points', 'share', box=SIMPLE_HEAD)
    for file, labels in zip(files, parts):
        found, counts = labels.unique(return_counts=True)
        for rank, (part, count) in enumerate(zip(found.tolist(), counts.tolist())):
            name = printable(names[part]) if part < len(names) else ''
            share = f'{100 * count / len(labels):.1f} %'
            table.add_row(printable(file) if rank == 0 else '', str(part), name, str(count), share)
    return table


def result_rows(answer: Answer, meta: Mapping[str, Any], *, parts_in_full: bool) -> list[dict[str, Any]]:
    """Rows of a file without a problem, as ``--out`` gets them: one with the class, or one for each part.

    Args:
        answer (Answer): What the model says of the file.
        meta (Mapping): Names of the classes and parts.
        parts_in_full (bool): Whether parts are given for every point, in one row.
    """
    assert answer.sample is not None and answer.points is not None
    sample, file = answer.sample, answer.source
    if 'pred_part' not in sample:
        scores = sample.pred_scores.tolist()
        names, best = class_names(meta, len(scores)), int(sample.pred_scores.argmax())
        row = dict(file=file, **{'class': names[best]}, probability=round(scores[best], 6))
        return [dict(row, error=None, **probability_columns(names, scores))]
    names, labels = list(meta.get('parts') or ()), sample.pred_part
    if parts_in_full:
        given = dict(parts=dict(enumerate(names)), points=answer.points.tolist(), labels=labels.tolist())
        return [dict(file=file, error=None, **given)]
    parts, counts = labels.unique(return_counts=True)
    return [
        dict(file=file, part=part, name=names[part] if part < len(names) else '', points=count, error=None)
        for part, count in zip(parts.tolist(), counts.tolist())
    ]
