"""The stream for other programs: none of its readers is a picture behind."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import pytest

from edgecls.imaging.decode import decode
from edgecls.sources import open_source
from edgecls.web import Shown
from tests.support.patience import patience
from tests.web.conftest import House

if TYPE_CHECKING:
    from playwright.sync_api import Page

SLOW_S: Final = 1.5
LEVELS: Final = (20, 235, 90, 200)
GRAY_ON_SCREEN: Final = """
    () => {
        const image = document.querySelector("#other");
        if (!image.naturalWidth) return -1;
        const canvas = document.createElement("canvas");
        const brush = canvas.getContext("2d");
        brush.drawImage(image, 0, 0);
        return brush.getImageData(5, 5, 1, 1).data[0];
    }
"""


def jpeg_of(level: int) -> bytes:
    content: bytes = cv2.imencode(".jpg", np.full((48, 64, 3), level, np.uint8))[1].tobytes()
    return content


def offer(house: House, level: int) -> None:
    house.pictures.offer(lambda: Shown(jpeg_of(level), {}))


def url_of(house: House) -> str:
    return f"http://127.0.0.1:{house.port}/picture"


@pytest.mark.fault(95)
def test_an_image_of_a_browser_shows_the_newest_picture(house: House, page: Page) -> None:
    page.goto(f"http://127.0.0.1:{house.port}/")
    page.evaluate(
        """() => {
            const image = document.createElement("img");
            image.id = "other";
            image.src = "/picture";
            document.body.append(image);
        }"""
    )
    found = []
    for level in LEVELS:
        offer(house, level)
        page.wait_for_timeout(SLOW_S * 1e3)
        found.append(page.evaluate(GRAY_ON_SCREEN))
    assert found == pytest.approx(LEVELS, abs=3)


def with_edgecls(url: str) -> Iterator[int]:
    """What our own source reads."""
    with open_source(url) as source:
        while (frame := source.read()) is not None:
            yield int(decode(frame.jpeg).mean())


def with_opencv(url: str) -> Iterator[int]:
    """What FFmpeg's libraries read."""
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
    while (read := capture.read())[0]:
        yield int(read[1].mean())


@pytest.mark.fault(95)
@pytest.mark.parametrize("read", [with_edgecls, with_opencv])
def test_a_program_reads_each_picture_when_it_comes(
    house: House, read: Callable[[str], Iterator[int]]
) -> None:
    offer(house, 128)
    pictures = read(url_of(house))
    next(pictures)
    found = []
    for level in LEVELS:
        offer(house, level)
        started = time.monotonic()
        found.append(next_but(pictures, found[-1:] or [128]))
        assert time.monotonic() - started < patience(1.0)  # and not when the next one comes
    assert found == pytest.approx(LEVELS, abs=3)


def next_but(pictures: Iterator[int], before: list[int]) -> int:
    """The next picture that is another than the one before."""
    return next(level for level in pictures if abs(level - before[0]) > 3)


@pytest.mark.fault(95)
def test_ffmpeg_reads_all_pictures_and_holds_back_only_its_own_last_one(house: House) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("there is no ffmpeg")
    words = ["ffmpeg", "-loglevel", "error", "-i", url_of(house), "-fps_mode", "passthrough"]
    words += ["-f", "rawvideo", "-pix_fmt", "gray", "-flush_packets", "1", "pipe:1"]
    offer(house, 128)
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **pipes) as process:
        assert process.stdout is not None
        found = []
        try:
            for level in (*LEVELS, 128):
                time.sleep(SLOW_S)
                offer(house, level)
                found.append(process.stdout.read(48 * 64)[0])  # its last one, when this one comes
        finally:
            process.kill()
    assert found == pytest.approx((128, *LEVELS), abs=3)
