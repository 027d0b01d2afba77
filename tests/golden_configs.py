"""All configs as they were when every combination of parts was a file of its own."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / 'data' / 'configs.json.gz'


@cache
def _content() -> dict[str, Any]:
    """``values``, each stored once, and for every config the number of the value of each section."""
    return json.loads(gzip.decompress(FILE.read_bytes()))


NAMES = tuple(_content()['configs'])
"""Names such as ``lora/recon_scanobjnn``; those of ``pretrain`` and ``point_peft/release`` are no combinations."""


def frozen(name: str) -> dict[str, Any]:
    """All sections of a config; tuples are lists."""
    values = _content()['values']
    return {section: values[number] for section, number in _content()['configs'][name].items()}
