"""Fixtures of the tests of pictures and pages."""

from browser import browser  # noqa: F401
