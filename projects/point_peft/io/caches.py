"""Where a user's caches are."""

from __future__ import annotations

import os
from pathlib import Path


def user_caches() -> Path:
    """This project's directory among them, https://specifications.freedesktop.org/basedir-spec; it need not exist."""
    return Path(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')) / 'point_peft'
