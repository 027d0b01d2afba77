"""The interactive page as a browser shows it, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from browser import SIZES, Browser, overlaps
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from point_peft.visualization import ShownCloud, plot_clouds, save_figure, write_page
from point_peft.visualization.palette import FEW, WRONG

GENERATOR = np.random.default_rng(0)
BALL = GENERATOR.normal(size=(1024, 3))
BALL /= np.linalg.norm(BALL, axis=1, keepdims=True)
SPOTS = np.array([[1, 0, 0], [0, 1.5, 0], [0, 0, 1], [-1, -1, 0]])
NAMES = {part: f'a rather long category/part {part}' for part in range(4)}
CONTROLS = 'h1, #chooser, #title, figcaption, .cloud, .legend, .view'
BUTTONS = 'button, select'

FILLED = 0.85
"""Share of a panel's smaller side that the ball takes at least."""


def spots(count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Four dense spots (4 * count, 3) without any symmetry, and which one every point is of."""
    labels = np.arange(len(SPOTS)).repeat(count)
    return SPOTS[labels] + 0.03 * GENERATOR.normal(size=(len(labels), 3)), labels


def segmented(title: str) -> ShownCloud:
    true = (BALL[:, 1] > 0) * 2 + (BALL[:, 0] > 0)
    return ShownCloud(title, BALL, labels={'true': true, 'predicted': 3 - true}, names=NAMES)


def classified(title: str, right: bool) -> ShownCloud:
    return ShownCloud(
        f'{title}_with_a_long_name_that_a_phone_has_no_room_for.ply\ntrue: chair', BALL, right=right
    )


def open_page(browser: Browser, clouds: list[ShownCloud], file: Path, size: str) -> np.ndarray:
    """Write and load a page; gives the boxes of its panels once they are drawn."""
    write_page(clouds, file, title='worst mistakes: pointmae_mini_folder')
    browser.open(file.as_uri(), size)
    browser.wait(lambda: browser.run('return document.body.dataset.shown'), 'drawing')
    boxes = browser.boxes('.cloud')
    browser.wait(lambda: all(browser.drawn(box).any() for box in boxes), 'drawing')
    return boxes


def middles(picture: np.ndarray, count: int) -> np.ndarray:
    """Mean place (count, 2) of the pixels that have one of the few colors, y up."""
    found = []
    for color in FEW[:count]:
        y, x = np.nonzero(np.abs(picture[..., :3] - to_rgb(color)).max(axis=-1) < 0.1)
        assert len(x) > 30
        found.append((x.mean(), -y.mean()))
    return np.array(found) - found[0]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('kind', ['parts', 'classes'])
def test_layout(browser: Browser, tmp_path: Path, size: str, kind: str) -> None:
    """Everything is on the screen, nothing covers another thing, the cloud fills its panel; no request."""
    clouds = (
        [segmented(f'mug {index}: mean IoU 71.3 %') for index in range(2)]
        if kind == 'parts'
        else [classified('first', True), classified('second', False)]
    )
    file = tmp_path / 'page.html'
    panels = open_page(browser, clouds, file, size)
    assert browser.requests() == [file.as_uri()]
    assert len(panels) == len(clouds[0].panels)
    width, height = SIZES[size]
    for selector in (CONTROLS, BUTTONS):
        boxes = browser.boxes(selector)
        assert overlaps(boxes) == []
        assert (boxes >= -1).all() and (boxes <= [width + 1, height + 1] * 2).all()
    assert len(browser.boxes(BUTTONS)) == 6 + len(clouds[0].legend())
    assert (browser.boxes(BUTTONS)[:, 3] - browser.boxes(BUTTONS)[:, 1] >= 34).all()  # of a finger
    assert not browser.scrolls_sideways()
    screen = width * height
    areas = (panels[:, 2] - panels[:, 0]) * (panels[:, 3] - panels[:, 1])
    assert areas.sum() > 0.4 * screen
    for box in panels:
        drawn = browser.drawn(box)
        rows, columns = np.nonzero(drawn.any(axis=1))[0], np.nonzero(drawn.any(axis=0))[0]
        taken = np.array([rows[-1] - rows[0], columns[-1] - columns[0]]) / min(drawn.shape)
        assert (taken > FILLED).all()
        assert drawn.mean() > 0.05
        assert not drawn[[0, -1]].any() and not drawn[:, [0, -1]].any()  # nothing is cut off


def test_wrong_predictions_first(browser: Browser, tmp_path: Path) -> None:
    """They have their mark in the list and in the title, whose color they share with pictures; others follow."""
    clouds = [classified('a', True), classified('b', False), classified('c', False)]
    open_page(browser, clouds, tmp_path / 'page.html', 'phone')
    options = browser.run('return [...document.getElementById("list").options].map(o => o.textContent)')
    assert [option[:6] for option in options] == ['1. \u2717 b', '2. \u2717 c', '3. \u2713 a']
    title = browser.find('#title')
    assert title.text.startswith('\u2717 b_with')
    rgb = [round(255 * value) for value in to_rgb(WRONG)]
    assert title.value_of_css_property('color') == f'rgba({rgb[0]}, {rgb[1]}, {rgb[2]}, 1)'
    browser.find('#next').click()
    browser.find('#next').click()
    browser.wait(lambda: browser.run('return document.body.dataset.shown') == '2', 'the third cloud')
    assert title.text.startswith('\u2713 a_with')
    assert not browser.find('#next').is_enabled()


def test_same_axes_as_the_picture(browser: Browser, tmp_path: Path) -> None:
    """Four spots lie as in the picture: up is up, nothing is mirrored or stretched."""
    points, labels = spots()
    save_figure(plot_clouds([points], [''], colors=[labels]), tmp_path / 'picture.png')
    (box,) = open_page(
        browser, [ShownCloud('spots', points, labels={'true': labels})], tmp_path / 'page.html', 'desktop'
    )
    left, top, right, bottom = np.round(box).astype(int)
    page = middles(browser.picture()[top:bottom, left:right] / 255, len(SPOTS))
    picture = middles(imread(tmp_path / 'picture.png'), len(SPOTS))
    scale = np.linalg.norm(page) / np.linalg.norm(picture)
    np.testing.assert_allclose(page, scale * picture, atol=0.02 * np.abs(page).max())


def test_views(browser: Browser, tmp_path: Path) -> None:
    """The legend hides a part in all panels; turning one turns the other; a button brings the first view back."""
    boxes = open_page(browser, [segmented('mug')], tmp_path / 'page.html', 'desktop')
    assert browser.boxes('#chooser').size == 0
    before = [browser.drawn(box) for box in boxes]
    browser.find('.legend button').click()
    browser.wait(
        lambda: all(browser.drawn(box).sum() < 0.9 * old.sum() for box, old in zip(boxes, before)), 'hiding'
    )
    browser.find('.legend button').click()
    browser.wait(lambda: all((browser.drawn(box) == old).all() for box, old in zip(boxes, before)), 'showing')

    eye = 'return [...document.querySelectorAll(".cloud")].map(plot => plot.layout.scene.camera.eye.x)'
    first, other = browser.run(eye)
    assert first == other
    browser.drag('.cloud', 120, 0)
    browser.wait(lambda: abs(browser.run(eye)[0] - first) > 0.1, 'turning')
    browser.wait(lambda: len({round(x, 6) for x in browser.run(eye)}) == 1, 'following')
    browser.find('.view button:last-child').click()
    browser.wait(
        lambda: all((browser.drawn(box) == old).all() for box, old in zip(boxes, before)), 'going back'
    )


def test_larger(browser: Browser, tmp_path: Path) -> None:
    """A phone, which has no wheel, has buttons to come nearer."""
    (box,) = open_page(browser, [classified('ball', True)], tmp_path / 'page.html', 'phone')
    before = browser.drawn(box).any(axis=1).sum()
    browser.find('.view button:nth-child(1)').click()
    browser.wait(lambda: browser.drawn(box).any(axis=1).sum() == pytest.approx(before / 1.25, rel=0.05), 'it')
    browser.find('.view button:nth-child(2)').click()
    browser.wait(lambda: browser.drawn(box).any(axis=1).sum() == pytest.approx(before, rel=0.02), 'it')
