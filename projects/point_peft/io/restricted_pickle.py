"""Reading of pickles that hold numpy arrays and plain Python values, without running anything in them."""

from __future__ import annotations

import pickle
import pickletools
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from .naming import UnreadableError, naming
from .reading import read_bytes

_NUMBER_TYPE = re.compile(r'[<=|]?[biuf]\d+')
"""Type codes of booleans, integers and floats."""


class _RefusedError(pickle.UnpicklingError):
    """A pickle asks for something that no array of numbers needs; the text names it."""


class _NumberType:
    """Stands in for ``numpy.dtype``.

    It gives numpy's own types of numbers, which ignore any state that a pickle sets on them. A made-up type could have
    numpy take bytes of the file for objects.
    """

    __slots__ = ()

    def __call__(self, code: Any, *copied: Any) -> np.dtype:
        if not isinstance(code, str) or not _NUMBER_TYPE.fullmatch(code):
            raise _RefusedError(f'numpy type {str(code)[:40]!r}')
        return np.dtype(code)


class _EmptyArray:
    """Stands in for numpy's ``_reconstruct``, which makes the array that the pickle then fills."""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> np.ndarray:
        return np.empty(0)


class _ArrayOfBuffer:
    """Stands in for numpy's ``_frombuffer`` of pickle protocol 5."""

    __slots__ = ()

    def __call__(self, buffer: bytes, dtype: np.dtype, shape: tuple[int, ...], order: Any) -> np.ndarray:
        return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


class _Scalar:
    """Stands in for numpy's ``scalar``."""

    __slots__ = ()

    def __call__(self, dtype: np.dtype, content: bytes) -> Any:
        return np.frombuffer(content, dtype=dtype, count=1)[0]


class _Latin1:
    """Stands in for ``_codecs.encode``, which old pickles call on the bytes of an array."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != 'latin1':
            raise _RefusedError(f'encoding {str(encoding)[:40]!r}')
        return text.encode('latin1')


_STAND_INS = {
    'numpy.dtype': _NumberType(),
    'numpy.ndarray': object(),  # only named, as what _reconstruct shall make
    '_codecs.encode': _Latin1(),
    **{
        f'numpy.{core}.{name}': stand_in
        for core in ('core', '_core')  # before and after numpy 2
        for name, stand_in in (
            ('multiarray._reconstruct', _EmptyArray()),
            ('multiarray.scalar', _Scalar()),
            ('numeric._frombuffer', _ArrayOfBuffer()),
        )
    },
}
"""All that a pickle may name. Nothing of it has attributes that a pickle could set."""


class _RestrictedUnpickler(pickle.Unpickler):
    """Unpickler that knows no other names than those of arrays of numbers."""

    def find_class(self, module: str, name: str) -> Any:
        """Look up a name that the pickle asks for."""
        full = f'{module}.{name}'
        if full not in _STAND_INS:
            raise _RefusedError(full)
        return _STAND_INS[full]


def read_pickle(path: Path, *, origin: str) -> Any:
    """Read a pickle of arrays of numbers, lists, tuples, dicts, texts and numbers.

    Args:
        path (Path): an existing file.
        origin (str): where to get it, for the message.

    Raises:
        DatasetError: the pickle asks for anything else, in which case nothing of it is executed, or is damaged.
    """
    with naming(path, 'a pickle'):
        content = read_bytes(path)
        try:
            _check_memory(content)
            return _RestrictedUnpickler(BytesIO(content)).load()
        except _RefusedError as error:
            raise UnreadableError(
                f'was not loaded: it asks for {error}, but such a file holds only arrays of numbers, and reading '
                f'anything else could run code; get it from {origin}.'
            ) from None
        except Exception as error:  # a damaged pickle can fail anywhere
            raise UnreadableError(
                f'is truncated or not a pickle ({type(error).__name__}: {error}); get it again from {origin}.'
            ) from error


def _check_memory(content: bytes) -> None:
    """Refuse a pickle whose numbered places go beyond what it can have: the unpickler takes memory for all of them.

    Raises:
        ValueError: such a number, or a length beyond the end of the file.
    """
    argument: Any
    for code, argument, _ in pickletools.genops(content):
        if code.name in ('PUT', 'BINPUT', 'LONG_BINPUT') and not 0 <= argument <= len(content):
            raise ValueError(f'place {argument} in a file of {len(content)} bytes')
