"""Chromium without a window, for tests of pages: what is drawn, where things are, and what is requested.

The ``conftest.py`` of a folder of tests takes the fixture by ``from browser import browser``.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiers import NO_BROWSER

SIZES = {'desktop': (1400, 900), 'phone': (390, 844)}
"""Width and height of the pages in pixels."""

PROGRAMS = ('chromium', 'google-chrome', 'chromium-browser')
DRIVER = 'chromedriver'

OPTIONS = (
    '--headless=new',
    '--no-sandbox',  # which root and containers lack
    '--enable-unsafe-swiftshader',  # WebGL without a graphics card
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--hide-scrollbars',
)

PATIENCE = 60
"""Seconds to wait for what a page does; a busy machine draws slowly."""

INSTALL = 'bash tools/setup_env.sh browser'


class Browser:
    """A tab of Chromium.

    Args:
        driver: Selenium's driver.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str, size: str) -> None:
        """Load a page as a screen of a size of :data:`SIZES` shows it; a phone's has fingers."""
        width, height = SIZES[size]
        metrics = dict(width=width, height=height, deviceScaleFactor=1, mobile=size == 'phone')
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
        self.driver.get_log('performance')  # of other pages
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page, and give what it returns."""
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        """The element that a CSS selector names."""
        return self.driver.find_element('css selector', selector)

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until a condition holds, and give its value.

        Raises:
            TimeoutError: It does not in :data:`PATIENCE` seconds.
        """
        end = time.monotonic() + PATIENCE
        while not (value := condition()):
            if time.monotonic() > end:
                raise TimeoutError(f'{what} did not happen in {PATIENCE} s')
            time.sleep(0.05)
        return value

    def boxes(self, selector: str) -> np.ndarray:
        """Left, top, right and bottom (M, 4) of the visible elements that a CSS selector names."""
        script = (
            'return [...document.querySelectorAll(arguments[0])].map(e => e.getBoundingClientRect())'
            '.filter(b => b.width > 0 && b.height > 0).map(b => [b.left, b.top, b.right, b.bottom])'
        )
        return np.array(self.run(script, selector)).reshape(-1, 4)

    def drag(self, selector: str, right: int, down: int) -> None:
        """Press the button of the mouse in the middle of an element, move by so many pixels, and let it go."""
        from selenium.webdriver import ActionChains

        moves = ActionChains(self.driver).move_to_element(self.find(selector)).click_and_hold()
        moves.move_by_offset(right, down).release().perform()

    def picture(self) -> np.ndarray:
        """What is on the screen, (H, W, 3) uint8."""
        return np.array(Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert('RGB'))

    def drawn(self, box: np.ndarray) -> np.ndarray:
        """Which pixels (H, W) of a box differ from the white ground."""
        left, top, right, bottom = np.round(box).astype(int)
        return (self.picture()[top:bottom, left:right] < 240).any(axis=-1)

    def requests(self) -> list[str]:
        """Addresses that the page has asked for since the last call, or since it was opened."""
        events = [json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance')]
        return [
            event['params']['request']['url']
            for event in events
            if event['method'] == 'Network.requestWillBeSent'
        ]

    def scrolls_sideways(self) -> bool:
        """Whether the page is wider than its screen."""
        return self.run('return document.documentElement.scrollWidth > document.documentElement.clientWidth')


def overlaps(boxes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of boxes (M, 4) that cover each other by more than a pixel."""
    return [
        (i, j)
        for i in range(len(boxes))
        for j in range(i)
        if (np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2]) > 1).all()
    ]


def _programs() -> tuple[str, str]:
    """Chromium or Chrome, and its driver; skips the test where they are missing."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    driver = shutil.which(DRIVER)
    if found and driver:
        return found, driver
    can_install = shutil.which('apt-get') and os.geteuid() == 0
    pytest.skip(
        f'needs a browser: {INSTALL}'
        if can_install
        else f'{NO_BROWSER}: install Chromium or Chrome, and {DRIVER}'
    )


@pytest.fixture(scope='session')
def browser() -> Iterator[Browser]:
    """One browser for all tests of a process."""
    webdriver = pytest.importorskip('selenium.webdriver', reason=f'needs selenium: {INSTALL}')
    program, driver = _programs()
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability('goog:loggingPrefs', {'performance': 'ALL'})
    service = webdriver.ChromeService(driver)
    started = webdriver.Chrome(options=options, service=service)
    yield Browser(started)
    started.quit()
