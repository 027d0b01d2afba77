"""Pages of the site that lie outside ``docs/``, and links to what is in the repository but not on the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]

PAGES = {
    'README.md': 'start.md',
    'CONTRIBUTING.md': 'contributing.md',
    'CHANGELOG.md': 'changelog.md',
    'checkpoints/README.md': 'model_card.md',
    'projects/point_peft/README.md': 'package.md',
}
"""Places in the repository, and on the site."""

LINK = re.compile(r'(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)')


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside, and the overview as the first page."""
    for place, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / place).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to where things are on the site; what is not there is named and not linked."""
    places = {page: place for place, page in PAGES.items()}
    source = page.file.src_uri
    folder = posixpath.dirname(places.get(source, f'docs/{source}'))

    def moved(found: re.Match[str]) -> str:
        text, target = found.groups()
        path, _, anchor = target.partition('#')
        if '://' in target or target.startswith('mailto:') or not path:
            return found[0]
        place = posixpath.normpath(posixpath.join(folder, path))
        if place in PAGES:
            place = PAGES[place]
        elif place.startswith('docs/'):
            place = place.removeprefix('docs/')
        else:
            if not (ROOT / place).exists():
                raise ValueError(f'{source} links to {target}, which is not there.')
            return text
        if not place.endswith(('.md', '.png', '.svg', '.html')):
            return text
        return f'[{text}]({posixpath.relpath(place, posixpath.dirname(source) or ".")}{"#" + anchor if anchor else ""})'

    return LINK.sub(moved, markdown)
