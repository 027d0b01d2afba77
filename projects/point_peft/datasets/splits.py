"""Names of the splits and the stratified held-out split."""

from __future__ import annotations

import numpy as np

SPLITS = ('train', 'val', 'trainval', 'test')
"""``train`` and ``val`` partition the training file, ``trainval`` is all of it, ``test`` the test file."""


def check_split(split: str) -> str:
    """Return ``split`` if it is one of :data:`SPLITS`.

    Raises:
        ValueError: an unknown split name.
    """
    if split not in SPLITS:
        raise ValueError(f"split='{split}' is unknown; choose one of {', '.join(SPLITS)}.")
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
    if not 0 <= fraction < 1:
        raise ValueError(f'the held-out fraction must lie in [0, 1), got {fraction}.')
    generator = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = round(fraction * len(members))
        if fraction > 0:
            count = min(max(count, 1), len(members) - 1)
        held_out[generator.permutation(members)[:count]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
