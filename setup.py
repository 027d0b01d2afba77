"""Entry for tools that look for a ``setup.py``; the metadata is in ``pyproject.toml``."""

from setuptools import setup

setup()
