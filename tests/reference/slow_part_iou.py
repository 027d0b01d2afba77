"""Part-segmentation scores in plain Python, one object, part and point at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction


def shape_miou(truth: Sequence[int], prediction: Sequence[int], parts: Sequence[int]) -> Fraction:
    """Mean over the parts of one object of |both| / |either|, where a part that is nowhere counts 1."""
    total = Fraction(0)
    for part in parts:
        true = {point for point, label in enumerate(truth) if label == part}
        found = {point for point, label in enumerate(prediction) if label == part}
        total += Fraction(len(true & found), len(true | found)) if true | found else 1
    return total / len(parts)


def scores(
    objects: Sequence[tuple[str, Sequence[int], Sequence[int]]], class_parts: Mapping[str, Sequence[int]]
) -> dict[str, float]:
    """Instance and class mIoU, point accuracy and the mIoU of every category, in percent.

    Args:
        objects: triples (category name, true parts, predicted parts).
        class_parts: parts of every category.
    """
    by_category: dict[str, list[Fraction]] = {}
    for name, truth, prediction in objects:
        by_category.setdefault(name, []).append(shape_miou(truth, prediction, class_parts[name]))
    means = {name: sum(values) / len(values) for name, values in by_category.items()}
    every = [value for values in by_category.values() for value in values]
    hits = [label == guess for _, truth, prediction in objects for label, guess in zip(truth, prediction)]
    result = {
        'instance_miou': sum(every) / len(every),
        'class_miou': sum(means.values()) / len(means),
        'point_accuracy': Fraction(sum(hits), len(hits)),
        **{f'miou/{name}': value for name, value in means.items()},
    }
    return {name: float(100 * value) for name, value in result.items()}
