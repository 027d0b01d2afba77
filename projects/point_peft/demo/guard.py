"""Which requests the demo answers: those of its own page, on this machine.

A page of another site that a browser has open could otherwise have it ask the demo: directly, or after its own name was
changed to point to this machine (DNS rebinding). The first sends its ``Origin``, the second its ``Host``.
"""

from __future__ import annotations

from email.message import Message

LOOPBACK = '127.0.0.1'

NAMES = (LOOPBACK, 'localhost')

FROM_HERE = ('same-origin', 'none')
"""Values of ``Sec-Fetch-Site`` of the page itself, and of an address that the user has typed."""

HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
}
"""What every answer tells the browser: to load nothing from elsewhere, and to show nothing of it to others."""


def refusal(headers: Message, port: int) -> str | None:
    """Why a request is not answered; None if it is.

    Args:
        headers (Message): Of the request.
        port (int): The demo's.
    """
    hosts = [f'{name}:{port}' for name in NAMES] + list(NAMES if port == 80 else ())
    if headers.get('Host', '') not in hosts:
        return f'the demo answers at http://{LOOPBACK}:{port} only.'
    origin = headers.get('Origin')
    if origin is not None and origin not in [f'http://{host}' for host in hosts]:
        return 'the demo does not answer pages of other sites.'
    if headers.get('Sec-Fetch-Site', 'none') not in FROM_HERE:
        return 'the demo does not answer other sites; type its address into a new tab.'
    return None
