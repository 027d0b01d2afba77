"""An interactive page of clouds: one file that opens in any browser, on a phone too, without a network."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from ..io.atomic import write_atomically
from ..io.errors import InvalidValueError
from ..io.text import printable
from .page_data import as_json, describe_cloud
from .shown import ShownCloud

ASSETS = Path(__file__).parent / 'assets'
"""The page's frame, styles and scripts."""


def write_page(clouds: Sequence[ShownCloud], path: str | Path, *, title: str) -> None:
    """Write clouds into one page with a list to choose from, wrong predictions first; makes its directory.

    The page holds plotly's script (about 5 MB), so it needs no network; hence one page for all clouds.

    Args:
        clouds (Sequence[ShownCloud]): The clouds.
        path (str | Path): File to write.
        title (str): What the browser calls the page.

    Raises:
        ValueError: There is no cloud.
    """
    if not clouds:
        raise InvalidValueError('there is no cloud to show; give at least one.')
    page = Template(asset('page.html')).substitute(
        title=html.escape(printable(title)),
        style=asset('clouds.css') + asset('page.css'),
        plotly=get_plotlyjs(),
        clouds=as_json([describe_cloud(cloud) for cloud in wrong_first(clouds)]),
        script=asset('clouds.js') + asset('page.js'),
    )
    write_atomically(path, page.encode())


def wrong_first(clouds: Sequence[ShownCloud]) -> list[ShownCloud]:
    """Clouds in their order, but those with a wrong prediction before all others."""
    return sorted(clouds, key=lambda cloud: cloud.right is not False)


def asset(name: str) -> str:
    """The text of a file that pages are made of."""
    return (ASSETS / name).read_text(encoding='utf-8')
