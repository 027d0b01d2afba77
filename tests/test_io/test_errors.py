"""Errors that speak to the user are of one class."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

from point_peft.io import errors
from point_peft.io.errors import MissingKeyError, PointPEFTError, WriteError

PACKAGE = Path(errors.__file__).resolve().parents[1]

ALL = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, PointPEFTError)]

PLAIN = {'Exception', 'ValueError', 'KeyError', 'OSError', 'FileNotFoundError'}

WITHIN = {
    'datasets/cache_places.py': 'another place is looked for',
    'datasets/readers': 'naming() makes the sentence, with the name of the file',
    'io/config_text.py': 'a text that says nothing',
    'io/restricted_pickle.py': 'naming() makes the sentence',
}
"""Where plain errors are raised to be caught near by, and by whom."""


@pytest.mark.parametrize('cls', ALL, ids=lambda cls: cls.__name__)
def test_sentence_stays(cls: type[PointPEFTError]) -> None:
    """Shown as it was given, also after the way from another process."""
    error = cls("a 'sentence'")
    assert str(error) == str(pickle.loads(pickle.dumps(error))) == "a 'sentence'"


def test_builtin_bases() -> None:
    """Who catches the builtin error catches ours."""
    assert issubclass(errors.InvalidValueError, ValueError)
    assert issubclass(errors.DatasetError, ValueError)
    assert issubclass(errors.MissingFileError, FileNotFoundError)
    assert issubclass(errors.DatasetNotFoundError, FileNotFoundError)
    assert issubclass(MissingKeyError, KeyError)
    with pytest.raises(OSError, match='full') as caught:
        raise WriteError(28, 'full', 'a.pth')
    assert (caught.value.errno, caught.value.filename) == (28, 'a.pth')


def test_no_plain_error_is_raised() -> None:
    """What the package raises over a value, a key or a file says so by its class."""
    found = []
    for path in sorted(PACKAGE.rglob('*.py')):
        place = path.relative_to(PACKAGE)
        for node in ast.walk(ast.parse(path.read_text())):
            raised = node.exc.func if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) else None
            if isinstance(raised, ast.Name) and raised.id in PLAIN:
                found.append((place, node.lineno))
    places = {str(place) for place, _ in found} | {str(place.parent) for place, _ in found}
    outside = [
        (str(place), line) for place, line in found if not {str(place), str(place.parent)} & WITHIN.keys()
    ]
    assert outside == []
    assert places >= WITHIN.keys(), 'remove what raises none any more'
