"""MMEngine's local storage, with files that are either complete or not there."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from .atomic import write_atomically


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local storage without half-written files: ``backend_args=dict(backend='atomic_local')``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; see :func:`write_atomically`."""
        write_atomically(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text; see :func:`write_atomically`."""
        write_atomically(filepath, obj.encode(encoding))


register_backend('atomic_local', AtomicLocalBackend, force=True)
