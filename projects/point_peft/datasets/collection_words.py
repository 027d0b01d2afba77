"""Words in the names of objects: labels that come free."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

SHORTEST = 3
"""Letters of the shortest word that counts."""

EMPTY_WORDS = frozenset(
    word
    for line in (
        'with and the for of in on right left',
        'fbx obj stl dae mesh meshes model models format kit pack textured collision visual updated',
        'jan feb mar apr april may jun june jul july aug sep sept oct nov dec',
        'object objects complete formed misc miscellaneous type blend swap kenney',
    )
    for word in line.split()
)
"""Words that say nothing about a shape: of grammar, of files, dates, and where meshes come from."""


def words_of(name: str) -> list[str]:
    """Distinct words of a name, in alphabetical order: small letters, plural s taken off.

    ``Kitchen | beerBottles_02.obj`` has the words ``beer``, ``bottle``, ``kitchen``.
    """
    plain = re.sub(r'\{.*?\}', ' ', name)  # a record of authors, as some lists of assets have
    plain = re.sub(r'([a-z])([A-Z])', r'\1 \2', plain)
    words = (word.lower() for word in re.findall(r'[^\W\d_]+', plain))
    return sorted({_singular(w) for w in words if len(w) >= SHORTEST and w not in EMPTY_WORDS})


def frequent_words(names: Sequence[str], count: int) -> tuple[str, ...]:
    """The ``count`` words that most names have, most frequent first; ties in alphabetical order."""
    found = Counter(word for name in names for word in words_of(name))
    return tuple(sorted(found, key=lambda word: (-found[word], word))[:count])


def _singular(word: str) -> str:
    """A word without its plural s; ``glass`` and ``bus`` stay."""
    plural = len(word) > SHORTEST + 1 and word.endswith('s') and not word.endswith(('ss', 'us', 'is'))
    return word[:-1] if plural else word
