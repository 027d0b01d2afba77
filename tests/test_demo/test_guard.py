"""Which requests the demo answers."""

from __future__ import annotations

import re
from email.message import Message

import pytest

from point_peft.demo.guard import refusal

OWN = {'Host': '127.0.0.1:8765'}


def headers(**given: str) -> Message:
    message = Message()
    for name, value in {**OWN, **{name.replace('_', '-'): value for name, value in given.items()}}.items():
        message[name] = value
    return message


@pytest.mark.parametrize(
    'given',
    [
        {},
        dict(Host='localhost:8765'),
        dict(Origin='http://127.0.0.1:8765', Sec_Fetch_Site='same-origin'),
        dict(Origin='http://localhost:8765'),
        dict(Sec_Fetch_Site='none'),
    ],
)
def test_own(given: dict[str, str]) -> None:
    assert refusal(headers(**given), 8765) is None


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        (dict(Host='evil.example:8765'), r'answers at http://127\.0\.0\.1:8765 only'),
        (dict(Host='127.0.0.1:9'), 'only'),
        (dict(Host='127.0.0.1'), 'only'),
        (dict(Host='127.0.0.1:8765.evil.example'), 'only'),
        (dict(Host=''), 'only'),
        (dict(Origin='http://evil.example'), 'other sites'),
        (dict(Origin='http://127.0.0.1:9'), 'other sites'),
        (dict(Origin='https://127.0.0.1:8765'), 'other sites'),
        (dict(Origin='null'), 'other sites'),
        (dict(Sec_Fetch_Site='cross-site'), 'other sites'),
        (dict(Sec_Fetch_Site='same-site'), 'other sites'),
    ],
)
def test_foreign(given: dict[str, str], said: str) -> None:
    """A name that was changed to point here, a page of another site, and one of another port."""
    why = refusal(headers(**given), 8765)
    assert why is not None and re.search(said, why)


def test_usual_port() -> None:
    """A browser leaves port 80 out."""
    assert refusal(headers(Host='127.0.0.1', Origin='http://127.0.0.1'), 80) is None
