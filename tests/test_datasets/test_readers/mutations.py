"""Damage to files, as bad disks, cut downloads, editors and broken writers do it."""

from __future__ import annotations

import re

import numpy as np

NUMBER = re.compile(rb'\d+')


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three random changes of a file."""
    for _ in range(rng.integers(1, 4)):
        content = CHANGES[rng.integers(len(CHANGES))](content, rng)
    return content


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    """Other bytes in place of a few."""
    changed = bytearray(content)
    for place in rng.integers(len(changed), size=rng.integers(1, 5)) if changed else ():
        changed[place] = rng.integers(256)
    return bytes(changed)


def _flip_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Another byte within the first 400, where the headers are."""
    changed = bytearray(content)
    if changed:
        changed[rng.integers(min(len(changed), 400))] = rng.choice([0, 1, 10, 32, 48, 57, 127, 255])
    return bytes(changed)


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    """Only the beginning."""
    return content[: rng.integers(len(content) + 1)]


def _insert(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes more."""
    place = rng.integers(len(content) + 1)
    more = [
        b' ',
        b'\n',
        b'-',
        b'#',
        b'1',
        b'nan',
        b'1e39',
        b'\xff\xfe',
        b'\x00' * 8,
        bytes(rng.integers(256, size=5)),
    ]
    return content[:place] + more[rng.integers(len(more))] + content[place:]


def _remove(content: bytes, rng: np.random.Generator) -> bytes:
    """A piece missing."""
    place = rng.integers(len(content) + 1)
    return content[:place] + content[place + rng.integers(1, 40) :]


def _repeat(content: bytes, rng: np.random.Generator) -> bytes:
    """A piece twice."""
    place, size = rng.integers(len(content) + 1), rng.integers(1, 60)
    return content[: place + size] + content[place:]


def _renumber(content: bytes, rng: np.random.Generator) -> bytes:
    """Another number in the text of the header."""
    found = list(NUMBER.finditer(content[:1000]))
    if not found:
        return content
    match = found[rng.integers(len(found))]
    number = int(match[0])
    values = [0, 1, 3, number + 1, max(number - 1, 0), 2 * number, 10**12, 2**31, 2**64, -1, -number]
    value = str(values[rng.integers(len(values))]).encode()
    return content[: match.start()] + value + content[match.end() :]


def _drop_line(content: bytes, rng: np.random.Generator) -> bytes:
    """A line missing."""
    lines = content.split(b'\n')
    del lines[rng.integers(len(lines))]
    return b'\n'.join(lines)


CHANGES = (_flip, _flip_header, _cut, _insert, _remove, _repeat, _renumber, _drop_line)
