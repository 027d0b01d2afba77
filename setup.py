"""Installs ``projects/point_peft`` as the package ``point_peft``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list[str]:
    """Read one of the files in ``requirements/``, without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in (line.partition('#')[0].strip() for line in lines) if line]


def version() -> str:
    """Read the version without importing the package, whose dependencies may not be there yet."""
    text = (ROOT / 'projects/point_peft/version.py').read_text()
    found = re.search(r"__version__ = '(.+)'", text)
    if found is None:
        raise RuntimeError("projects/point_peft/version.py has no line __version__ = '...'.")
    return found.group(1)


setup(
    name='point-peft',
    version=version(),
    description='Parameter-efficient fine-tuning of point-cloud transformers on MMEngine',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE'],
    classifiers=[
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    python_requires='>=3.10',
    package_dir={'': 'projects'},
    packages=find_packages('projects'),
    install_requires=requirements('runtime'),
    extras_require={name: requirements(name) for name in ('tests', 'detection')},
)
