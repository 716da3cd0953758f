"""The pictures of the live view in the documentation: `make screenshots` keeps them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import keep_screenshot, open_page, wait_for_text
from tests.web.parts import LABELS, draw_parts
from tests.web.show import Show, show

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Label and turn, a second each: what a tray under a camera sees.
SCRIPT = (("hex nut", 10), ("empty tray", 0), ("washer", 0), ("empty tray", 0), ("hex nut", 25))


@pytest.fixture
def tray(tmp_path: Path) -> Iterator[Show]:
    """A loop that has seen some parts go by."""
    # The page's minute goes by in six seconds.
    hurried = {"frame": draw_parts("empty tray"), "clock": lambda: 10 * time.monotonic()}
    with show(tmp_path, LABELS, records=True, **hurried) as running:
        for label, turn in SCRIPT:
            for light in (-16, 9, 17, 4):
                running.stage.frame = draw_parts(label, turn, light)
                time.sleep(0.12)
        yield running


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        pytest.param("view", {"viewport": {"width": 1240, "height": 760}}, id="desk"),
        pytest.param(
            "view-phone",
            {
                "viewport": {"width": 390, "height": 844},
                "is_mobile": True,
                "has_touch": True,
                "device_scale_factor": 1.5,
                "color_scheme": "dark",
            },
            id="phone",
        ),
    ],
)
def test_screenshot_of_the_live_view(
    browser: Browser, tray: Show, name: str, settings: dict[str, object]
) -> None:
    with open_page(browser, **settings) as page:
        page.goto(tray.url)
        wait_for_text(page, "#steady", "hex nut")
        page.wait_for_timeout(2_500)  # for the rate of frames and a piece of the line
        assert page.locator("#picture").is_visible()
        keep_screenshot(page, name, is_whole=name == "view")
