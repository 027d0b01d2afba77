"""Tables of results as files that other programs read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .atomic import write_atomically
from .errors import ConfigError
from .text import printable

FORMATS = ('.csv', '.json')


def check_format(path: str | Path, flag: str) -> None:
    """Refuse a file whose suffix is none of :data:`FORMATS`.

    Raises:
        ConfigError: It is.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise ConfigError(f"{flag} '{printable(path)}' must end in {' or '.join(FORMATS)}.")


def write_rows(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, with the names of the columns above, or as a JSON list, as the suffix says.

    Names of files that are no UTF-8 keep their bytes in CSV. In CSV, None is an empty cell.

    Args:
        path (str | Path): File to write; its directory is made.
        rows (Sequence[Mapping]): Values by column; a column that a row lacks is empty there.
    """
    if Path(path).suffix.lower() == '.json':
        write_atomically(path, (json.dumps(list(rows), indent=1) + '\n').encode())
        return
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode('utf-8', 'surrogateescape'))


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Read a CSV file that :func:`write_rows` wrote; all values are texts."""
    with open(path, newline='', encoding='utf-8', errors='surrogateescape') as file:
        return list(csv.DictReader(file))
