"""The demo as somebody uses it: drop a file, read the class."""

from __future__ import annotations

import base64
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from browser import SIZES, Browser, overlaps

from point_peft.apis import Inferencer
from point_peft.demo.model import DemoModel
from point_peft.demo.server import FOLDER, DemoServer
from point_peft.procedural.shapes import CLASSES

GENERATOR = np.random.default_rng(0)
DROP = """
const content = Uint8Array.from(atob(arguments[0]), letter => letter.charCodeAt(0));
const carried = new DataTransfer();
carried.items.add(new File([content], arguments[1]));
const drop = new DragEvent('drop', {dataTransfer: carried, bubbles: true, cancelable: true});
document.getElementById('drop').dispatchEvent(drop);
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    """A cloud of one's own, in a folder of the name by which the demo draws its points."""
    path = tmp_path / FOLDER / 'my scan.npy'
    path.parent.mkdir()
    np.save(path, GENERATOR.standard_normal((500, 3)) * [1, 2, 1])
    return path


def open_demo(browser: Browser, server: DemoServer, size: str) -> None:
    browser.open(server.address, size)
    wait_for(browser, 'ready')


def wait_for(browser: Browser, state: str) -> None:
    """Wait until the page shows an answer or an error, which must be what is expected."""
    script = 'const {state} = document.body.dataset; return state === "busy" ? "" : state'
    assert browser.wait(lambda: browser.run(script), state) == state, browser.find('#error').text


def choose(browser: Browser, path: Path, state: str = 'shown') -> None:
    browser.run('document.body.dataset.state = "busy"')
    browser.find('#file').send_keys(str(path))
    wait_for(browser, state)


@pytest.mark.parametrize('size', SIZES)
def test_choose_a_file(
    browser: Browser, server: DemoServer, classifier: Path, cloud: Path, size: str
) -> None:
    """The class and its probability are those of the model; all fits on the screen; only the demo is asked."""
    open_demo(browser, server, size)
    choose(browser, cloud)
    (expected,) = Inferencer(classifier)([cloud])
    assert browser.find('#found').text == f'{expected["pred_class"]}, {100 * expected["pred_score"]:.1f} %'
    assert browser.find('#name').text == 'my scan.npy'

    lines = browser.driver.find_elements('css selector', '#classes li')
    assert [line.is_displayed() for line in lines] == [True] * 5 + [False] * 11
    browser.run('arguments[0].click()', browser.find('#more'))
    assert all(line.is_displayed() for line in lines)
    bars = np.diff(browser.boxes('#classes .bar')[:, [0, 2]])[:, 0]
    shares = browser.run('return [...document.querySelectorAll(".bar i")].map(i => i.clientWidth)') / bars
    np.testing.assert_allclose(shares, np.sort(expected['pred_scores'])[::-1], atol=0.02)

    neighbors = browser.driver.find_elements('css selector', '#neighbors li')
    assert len(neighbors) == 8
    assert neighbors[0].text.split('\n')[0] in CLASSES

    assert not browser.scrolls_sideways()
    for parts in ('h1, #model, #input, #output, #answer', '#found, #name, .cloud, .view', 'button, #drop'):
        assert overlaps(browser.boxes(parts)) == []
    (box,) = browser.boxes('.cloud')
    browser.run('window.scrollTo(0, arguments[0])', box[1])
    (box,) = browser.boxes('.cloud')
    width, height = box[2] - box[0], box[3] - box[1]
    assert width > (0.85 if size == 'phone' else 0.4) * SIZES[size][0] and height > 0.3 * SIZES[size][1]
    browser.wait(lambda: browser.drawn(box).any(), 'drawing')
    drawn = browser.drawn(box)
    rows = np.nonzero(drawn.any(axis=1))[0]
    assert rows[-1] - rows[0] > 0.6 * min(drawn.shape)
    requests = browser.requests()
    assert len(requests) == 9
    assert [url for url in requests if not url.startswith((f'{server.address}/', 'data:'))] == []


def test_drop_a_file(browser: Browser, server: DemoServer, cloud: Path) -> None:
    """A file that is dropped is answered as one that is chosen."""
    open_demo(browser, server, 'desktop')
    choose(browser, cloud)
    found = browser.find('#found').text
    browser.find('#examples button').click()
    browser.wait(lambda: browser.find('#name').text == 'airplane (example)', 'the example')
    wait_for(browser, 'shown')
    browser.run('document.body.dataset.state = "busy"')
    browser.run(DROP, base64.b64encode(cloud.read_bytes()).decode(), cloud.name)
    wait_for(browser, 'shown')
    assert browser.find('#name').text == cloud.name
    assert browser.find('#found').text == found


def test_bad_files(browser: Browser, server: DemoServer, cloud: Path, tmp_path: Path) -> None:
    """A file that cannot be read, or is too large, gets its sentence, and the next one its answer."""
    open_demo(browser, server, 'phone')
    bad = tmp_path / '<b>bad.ply'
    bad.write_text('no cloud')
    choose(browser, bad, 'error')
    said = browser.find('#error').text
    assert '<b>bad.ply' in said and '\n' not in said
    assert not browser.scrolls_sideways()

    large = tmp_path / 'large.npy'
    large.write_bytes(bytes(2**20 + 1))
    browser.requests()
    choose(browser, large, 'error')
    assert browser.find('#error').text.startswith('large.npy has 1 MB, and the limit is 1 MB; thin it out')
    assert browser.requests() == []

    choose(browser, cloud)
    assert not browser.find('#error').is_displayed()
    assert browser.find('#name').text == cloud.name


def test_parts(browser: Browser, part_server: DemoServer, cloud: Path) -> None:
    """Parts are colored and in the legend; another category is asked for again; an example knows its own."""
    open_demo(browser, part_server, 'desktop')
    model = part_server.model
    assert isinstance(model, DemoModel)
    browser.find('#examples button:nth-child(12)').click()
    wait_for(browser, 'shown')
    browser.wait(lambda: browser.find('#found').text == 'parts of: mug', 'the mug')
    assert {text.split(' ')[1].split('/')[0] for text in legend(browser)} == {'mug'}
    assert browser.find('#category').get_attribute('value') == 'mug'
    assert not browser.find('#classes-part').is_displayed()
    assert len(browser.driver.find_elements('css selector', '#neighbors canvas')) == 8

    browser.run('document.body.dataset.state = "busy"')
    browser.run(
        'const list = document.getElementById("category"); list.value = "chair"; '
        'list.dispatchEvent(new Event("change"))'
    )
    wait_for(browser, 'shown')
    assert browser.find('#found').text == 'parts of: chair'
    assert {text.split(' ')[1].split('/')[0] for text in legend(browser)} == {'chair'}

    choose(browser, cloud)
    assert browser.find('#found').text == 'parts of: chair'


def legend(browser: Browser) -> list[str]:
    return [entry.text for entry in browser.driver.find_elements('css selector', '.legend button')]


def test_server_is_gone(browser: Browser, model: DemoModel, cloud: Path) -> None:
    """A page whose demo has ended says so."""
    with DemoServer(port=0) as server:
        server.model = model
        thread = Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.05))
        thread.start()
        open_demo(browser, server, 'desktop')
        server.shutdown()
        thread.join()
    choose(browser, cloud, 'error')
    assert browser.find('#error').text == 'The demo does not answer; is it still running?'
