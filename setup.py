"""What a wheel has beside the code; the metadata is in ``pyproject.toml``."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = (
    'configs/**/*.py',
    'tools/**/*.py',
    'tools/dist_*.sh',
    'tools/slurm_*.sh',
    'checkpoints/pointmae_mini.safetensors',
    'checkpoints/README.md',
    'model-index.yml',
)
"""Patterns of the files that go to ``point_peft/.mim``; ``point_peft.io.shipped`` finds them there."""


class BuildWithShippedFiles(build_py):
    """Puts configs, tools and weights into a wheel; an editable installation has them in the repository."""

    def run(self) -> None:
        """Build the package from nothing, as files of an earlier build may be gone from the repository."""
        package = Path(self.build_lib, 'point_peft')
        if not self.editable_mode:
            shutil.rmtree(package, ignore_errors=True)
        super().run()
        if not self.editable_mode:
            for file in shipped_files():
                target = package / '.mim' / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
                shutil.copymode(file, target)


def shipped_files() -> list[Path]:
    """The files, from the repository's root.

    Raises:
        FileNotFoundError: A pattern has none.
    """
    found = {pattern: sorted(Path().glob(pattern)) for pattern in SHIPPED}
    missing = [pattern for pattern, files in found.items() if not files]
    if missing:
        raise FileNotFoundError(f'{", ".join(missing)} should be shipped, but is not there.')
    return [file for files in found.values() for file in files]


setup(cmdclass={'build_py': BuildWithShippedFiles})
