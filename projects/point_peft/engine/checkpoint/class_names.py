"""Whether two lists of classes are the same, since labels and outputs go by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...io.errors import OtherClassesError

WHAT = dict(classes='class', parts='part')
"""Lists of names in a dataset's ``metainfo``, and what one of the names is."""


def check_same_names(
    known: Mapping[str, Any], dataset: Mapping[str, Any], source: str, target: str, *, advice: str
) -> None:
    """Refuse a dataset whose classes or parts are others than those that a model was trained on.

    Args:
        known (Mapping): ``metainfo`` of the training set: ``classes``, ``parts``, ``class_parts``.
        dataset (Mapping): That of the other dataset; what only one of them says is not compared.
        source (str): Where the former comes from.
        target (str): Name of the latter.
        advice (str): What to do, as the end of the sentence.

    Raises:
        OtherClassesError: Names the first that differs.
    """
    for key, word in WHAT.items():
        one, other = known.get(key), dataset.get(key)
        if one is None or other is None or list(map(str, one)) == list(map(str, other)):
            continue
        raise OtherClassesError(
            f'{source} was trained on the {key} {_listed(one)}, but {target} has {_listed(other)}: '
            f'{_first_other(list(one), list(other), word)}, and since labels go by position, the results would be '
            f'wrong; {advice}.'
        )
    if _plain(known.get('class_parts')) != _plain(dataset.get('class_parts')) and None not in (
        known.get('class_parts'),
        dataset.get('class_parts'),
    ):
        raise OtherClassesError(
            f'{source} was trained on other parts of the classes than {target} has (class_parts); {advice}.'
        )


def _first_other(one: Sequence[str], other: Sequence[str], word: str) -> str:
    """What differs first, in words."""
    if sorted(map(str, one)) == sorted(map(str, other)):
        return 'the order differs'
    if len(one) != len(other):
        return 'their number differs'
    index = next(i for i, pair in enumerate(zip(one, other)) if str(pair[0]) != str(pair[1]))
    return f'{word} {index} is {one[index]!r} there and {other[index]!r} here'


def _listed(names: Sequence[str], most: int = 6) -> str:
    """Some of the names."""
    shown = ', '.join(map(str, names[:most]))
    return f'({shown}, ... {len(names)} in all)' if len(names) > most else f'({shown})'


def _plain(parts: Mapping[str, Sequence[int]] | None) -> dict[str, list[int]] | None:
    return None if parts is None else {str(name): list(ids) for name, ids in parts.items()}
