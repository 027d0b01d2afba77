"""Installs ``projects/point_peft`` as the package ``point_peft``."""
import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list:
    """Read one of the files in ``requirements/``."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith(('#', '-'))]


setup(
    name='point-peft',
    version=re.search(r"'(.+)'", (ROOT / 'projects/point_peft/version.py').read_text()).group(1),
    description='Parameter-efficient fine-tuning of point-cloud transformers on MMEngine',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    package_dir={'': 'projects'},
    packages=find_packages('projects'),
    install_requires=requirements('runtime'),
    extras_require={name: requirements(name) for name in ('tests', 'detection')},
)
