"""The interactive page, as a file."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from point_peft.visualization import ShownCloud, write_page
from point_peft.visualization.page import wrong_first

GENERATOR = np.random.default_rng(0)
NAMES = {7: 'mug/body', 8: 'mug/</script>', 9: 'mug/saucer'}
CLOUDS = [
    ShownCloud(
        'first <b>\nmug',
        GENERATOR.random((50, 3)),
        labels={'true': GENERATOR.integers(7, 9, 50), 'predicted': GENERATOR.integers(7, 10, 50)},
        names=NAMES,
    ),
    ShownCloud(
        'second',
        GENERATOR.random((40, 3)) * [1, 5, 2] + 100,
        labels={'true': np.full(40, 7), 'predicted': np.full(40, 9)},
        names=NAMES,
        right=True,
    ),
]


class Tags(HTMLParser):
    """All tags of a page with their attributes, and the text outside scripts; unbalanced tags are an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ('meta', 'link'):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_self_contained(tmp_path: Path) -> None:
    """The page parses, loads nothing, has the script in it, and names from files cannot end a script."""
    path = tmp_path / 'deep' / 'page.html'
    write_page(CLOUDS, path, title='clouds <&>')
    page = path.read_text(encoding='utf-8')
    tags = Tags(page)
    assert [tag for tag, attributes in tags.found if {'src', 'href'} & set(attributes)] == []
    assert 'src="http' not in page
    assert {'html', 'head', 'title', 'body', 'main', 'script'} <= {tag for tag, _ in tags.found}
    assert '<title>clouds &lt;&amp;&gt;</title>' in page
    metas = [attributes for tag, attributes in tags.found if tag == 'meta']
    assert dict(name='viewport', content='width=device-width, initial-scale=1') in metas
    assert any(meta.get('content', '').startswith("default-src 'none'") for meta in metas)
    assert 30 < path.stat().st_size / 1e5 < 80


def test_data(tmp_path: Path) -> None:
    """The clouds are in the page as they are described, those with wrong predictions first."""
    path = tmp_path / 'page.html'
    write_page([*CLOUDS, ShownCloud('third', CLOUDS[0].points, right=False)], path, title='clouds')
    _, _, data = path.read_text(encoding='utf-8').partition('<script type="application/json" id="clouds">')
    clouds = json.loads(data[: data.index('</script>')])
    assert [(cloud['mark'], cloud['title']) for cloud in clouds] == [
        ('\u2717', 'third'),
        ('', 'first <b>\nmug'),
        ('\u2713', 'second'),
    ]
    assert [entry['name'] for entry in clouds[1]['legend']] == [
        '7 mug/body',
        '8 mug/</script>',
        '9 mug/saucer',
    ]


def test_wrong_first() -> None:
    """Otherwise the order stays."""
    given = {'a': True, 'b': False, 'c': None, 'd': False, 'e': True}
    clouds = [ShownCloud(name, CLOUDS[0].points, right=right) for name, right in given.items()]
    assert [cloud.title for cloud in wrong_first(clouds)] == list('bdace')


def test_nothing_to_show(tmp_path: Path) -> None:
    """No clouds, no page."""
    with pytest.raises(ValueError, match='no cloud to show'):
        write_page([], tmp_path / 'page.html', title='empty')
    assert not list(tmp_path.iterdir())
