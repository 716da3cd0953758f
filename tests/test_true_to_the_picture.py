"""Digits on the screen, read from its pixels: beside their own label, and kept as they were seen.

Half a frame a second: what is one picture behind cannot hide behind the next one.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

pytest.importorskip("keras", reason="training needs Keras (edgecls-train)")

from edgecls.classifier import Classifier
from edgecls.contract.modelfile import load_model_file
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.opencv import cv2
from edgecls.runtimes import open_runtime
from tests.support.broker import wait_until
from tests.support.browser import browser, open_page
from tests.support.patience import patience

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["browser"]

FRAMES: Final = 50
EVERY_S: Final = 2.0
SOURCE: Final = f"fake:digits?fps={1 / EVERY_S}&loop=1"
DESK: Final = {"viewport": {"width": 1366, "height": 768}}
_MOMENT: Final = """
    names => names.map(name => document.querySelector(name))
                  .map(found => [found.textContent, found.dataset.frame])
"""
# Of the picture's own, which is 640x480 as in `fake:digits`.
_RATIO: Final = 640 / 480


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits model that three lines make."""
    folder = tmp_path_factory.mktemp("digits")
    for words in (("train",), ("convert", "--int8")):
        command = [sys.executable, "-m", "edgecls", *words]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "model.tflite"


@pytest.fixture(scope="module")
def read_digit(model: Path) -> Iterator[Callable[[Frame], str]]:
    """What the model sees in a picture."""
    loaded = load_model_file(model)
    with contextlib.closing(Classifier(loaded, open_runtime(loaded))) as classifier:
        yield lambda frame: classifier.top(classifier.classify(frame).scores, 1)[0].label


@contextlib.contextmanager
def serving(*words: str) -> Iterator[str]:
    """A command that serves a page; gives its address."""
    command = [sys.executable, "-m", "edgecls", *words]
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "http://127.0.0.1:" in line)
        try:
            yield line[line.index("http://") :].split()[0]
        finally:
            process.terminate()


def screenshot_of(page: Page, selector: str) -> Frame:
    """The picture as it is on the screen, without what is left and right of it, or above."""
    place = page.locator(selector).bounding_box()
    assert place is not None
    screen = decode(page.screenshot())
    width = min(place["width"], place["height"] * _RATIO)
    height = width / _RATIO
    left = place["x"] + (place["width"] - width) / 2
    top = place["y"] + (place["height"] - height) / 2
    return screen[round(top) : round(top + height), round(left) : round(left + width)]


def is_alike(one: Frame, other: Frame) -> bool:
    """Whether two pictures of digits are the same one, at whatever size."""
    small = [cv2.resize(frame, (64, 48), interpolation=cv2.INTER_AREA) for frame in (one, other)]
    return float(np.abs(small[0].astype(int) - small[1]).mean()) < 6.0


def look(page: Page, selector: str, *said: str) -> tuple[Frame, list[str]]:
    """The picture, and texts beside it, of one and the same moment.

    A busy machine takes its time for a screenshot: it is taken again where a frame came meanwhile.
    """
    while True:
        before = page.evaluate(_MOMENT, [selector, *said])
        picture = screenshot_of(page, selector)
        if page.evaluate(_MOMENT, [selector, *said]) == before:
            return picture, [text for text, _ in before[1:]]


def press_fifty_times(page: Page, kept_in: Path) -> list[Frame | None]:
    """Press a key while one picture is shown, then while the next is, until fifty are certain.

    Returns:
        What was on the screen at each press; None where a busy machine took so long that another
        frame came meanwhile.
    """
    shown: list[Frame | None] = []
    for number in moments(when_it_changes(page, "#live")):
        before, _ = look(page, "#live")
        page.keyboard.press("1")
        behind = screenshot_of(page, "#live")
        shown.append(before if is_alike(before, behind) else None)
        wait_until(lambda number=number: len(files_in(kept_in)) > number, "it is kept")
        if sum(picture is not None for picture in shown) == FRAMES:
            break
    return shown


def when_it_changes(page: Page, selector: str) -> float:
    """Wait until another picture is shown; gives the time in the middle of its two seconds."""
    before = screenshot_of(page, selector)
    end = time.monotonic() + patience(20.0)
    while is_alike(before, screenshot_of(page, selector)):
        assert time.monotonic() < end, "the picture does not change"
        time.sleep(0.1)
    return time.monotonic() + EVERY_S / 2


def moments(first_s: float) -> Iterator[int]:
    """The middle of the time for which each of the frames is shown."""
    for number in range(2 * FRAMES):
        time.sleep(max(0.0, first_s + number * EVERY_S - time.monotonic()))
        yield number


def files_in(folder: Path) -> list[Path]:
    """Pictures of the label, in the order in which they were kept."""
    return sorted(folder.glob("digit/*.jpg"))


@pytest.mark.slow
@pytest.mark.fault(91)
def test_for_fifty_frames_the_digit_in_the_pixels_is_the_label_on_the_page(
    browser: Browser, model: Path, read_digit: Callable[[Frame], str]
) -> None:
    words = ("camera", "--model", str(model), "--source", SOURCE, "--view", "127.0.0.1:0")
    seen, said = [], []
    with serving(*words) as url, open_page(browser, **DESK) as page:
        page.goto(url)
        page.wait_for_selector("#scores li")
        for _ in islice(moments(when_it_changes(page, "#picture")), FRAMES):
            picture, (label,) = look(page, "#picture", "#scores li:first-child .name")
            seen.append(read_digit(picture))
            said.append(label)
    assert seen == said
    assert len(set(seen)) >= 9


@pytest.mark.slow
@pytest.mark.fault(92)
def test_fifty_presses_keep_the_fifty_pictures_that_were_shown(
    browser: Browser, tmp_path: Path, read_digit: Callable[[Frame], str]
) -> None:
    kept_in = tmp_path / "pictures"
    words = ("collect", "--labels", "digit", "--source", SOURCE, "--listen", "127.0.0.1:0")
    with serving(*words, str(kept_in)) as url, open_page(browser, **DESK) as page:
        page.goto(url)
        page.wait_for_selector("#source.good")
        shown = press_fifty_times(page, kept_in)
    kept = [decode(file.read_bytes()) for file in files_in(kept_in)]
    pairs = [(one, other) for one, other in zip(kept, shown, strict=True) if other is not None]
    assert [is_alike(*pair) for pair in pairs] == [True] * FRAMES
    assert [read_digit(one) for one, _ in pairs] == [read_digit(other) for _, other in pairs]
    lines = map(json.loads, (kept_in / "records.jsonl").read_text().splitlines())
    assert len({line["frame"] for line in lines}) > 0.7 * FRAMES  # and not a few again and again
