"""Names of the splits, and the splits that are cut out of a set: by position or by name."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from ..io.errors import InvalidValueError

SPLITS = ('train', 'val', 'trainval', 'test')
"""``train`` and ``val`` partition the training file, ``trainval`` is all of it, ``test`` the test file."""

GOLDEN = 11400714819323198485
"""2^64 divided by the golden ratio: multiples of it are spread evenly over all remainders of 2^64."""


def check_split(split: str) -> str:
    """Return ``split`` if it is one of :data:`SPLITS`.

    Raises:
        ValueError: an unknown split name.
    """
    if split not in SPLITS:
        raise InvalidValueError(f"split='{split}' is unknown; choose one of {', '.join(SPLITS)}.")
    return split


def stratified_split(labels: np.ndarray, *, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a fraction of every class.

    Args:
        labels (np.ndarray): (M,) class of every object.
        fraction (float): share of each class to hold out, in [0, 1). Rounded per class; at least one
            object of every class with two or more objects is held out (unless ``fraction`` is 0), and
            at least one is kept.
        seed (int): seed of the choice.

    Returns:
        tuple[np.ndarray, np.ndarray]: sorted indices kept and held out; disjoint, together all M.

    Raises:
        ValueError: ``fraction`` outside [0, 1).
    """
    _check_fraction(fraction)
    generator = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = round(fraction * len(members))
        if fraction > 0:
            count = min(max(count, 1), len(members) - 1)
        held_out[generator.permutation(members)[:count]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def named_split(
    names: Sequence[str], labels: np.ndarray, *, fraction: float, salt: str, after: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out about a fraction of every class, each object by a share in [0, 1) that depends on its own name alone.

    So an object stays on its side when others are added or taken away. The exception are classes too small to have
    both sides by chance: of two or more objects, the one that is nearest to the other side is put there.

    Args:
        names (Sequence[str]): M names; objects of the same name, in any case or normal form, stay together.
        labels (np.ndarray): (M,) class of every object.
        fraction (float): share to hold out, in [0, 1).
        salt (str): another one gives another choice.
        after (float): share of a set that was held out before, of which these are the rest.

    Returns:
        tuple[np.ndarray, np.ndarray]: sorted indices kept and held out; disjoint, together all M.

    Raises:
        ValueError: ``fraction`` outside [0, 1).
    """
    _check_fraction(fraction)
    shares = (np.array([share_of(name, salt) for name in names]) - after) % 1
    held_out = shares < fraction * (1 - after)
    for label in np.unique(labels) if fraction > 0 else ():
        members = labels == label
        if not held_out[members].any():
            held_out |= members & (shares == shares[members].min())
        if held_out[members].all():
            held_out &= ~(members & (shares == shares[members].max()))
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def named_folds(names: Sequence[str], labels: np.ndarray, *, folds: int, salt: str) -> np.ndarray:
    """Deal objects out to folds of about one size, of every class and in all, in an order that their names decide.

    Args:
        names (Sequence[str]): M names; objects of the same name, in any case or normal form, are dealt out together.
        labels (np.ndarray): (M,) class of every object.
        folds (int): number of folds, at least 2.
        salt (str): another one gives another order.

    Returns:
        np.ndarray: (M,) int64, the fold of every object.
    """
    shares = np.array([share_of(name, salt) for name in names])
    found = np.empty(len(names), dtype=np.int64)
    dealt = 0  # goes on from class to class, else the first folds would get the rest of each
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        _, order = np.unique(shares[members], return_inverse=True)
        found[members] = (dealt + order) % folds
        dealt += int(order.max()) + 1
    return found


def share_of(name: str, salt: str) -> float:
    """A number in [0, 1) that depends on a name and the salt alone.

    Names that differ in their last number are spread evenly (Fibonacci hashing, Knuth, TAOCP 3, section 6.4), so that
    a class of ten numbered files has its two test files; all else is a hash.
    """
    plain = unicodedata.normalize('NFC', name).casefold()
    number = re.search(r'(\d+)[^\d/]*$', plain)
    rest = plain if number is None else f'{plain[: number.start(1)]}#{plain[number.end(1) :]}'
    digest = hashlib.blake2b(os.fsencode(f'{salt}/{rest}'), digest_size=8).digest()
    steps = 0 if number is None else int(number[1])
    return (int.from_bytes(digest, 'big') + steps * GOLDEN) % 2**64 / 2**64


def _check_fraction(fraction: float) -> None:
    """Refuse a share that leaves nothing."""
    if not 0 <= fraction < 1:
        raise InvalidValueError(f'the held-out fraction must lie in [0, 1), got {fraction}.')
