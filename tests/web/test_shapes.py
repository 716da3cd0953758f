"""No picture of the live view is cut, whatever its shape: pixels of a screenshot are looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import open_page
from tests.support.corners import SHAPES, is_whole, marked, shares_seen
from tests.web.show import LABELS, open_view, show

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DESK = {"viewport": {"width": 1366, "height": 768}}
# What a desk of 1366x768 has at 200%.
ZOOMED = {"viewport": {"width": 683, "height": 384}, "device_scale_factor": 2}
LYING = {"viewport": {"width": 568, "height": 320}, "is_mobile": True, "has_touch": True}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@pytest.mark.fault(96)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("settings", [DESK, PHONE], ids=["desk", "phone"])
def test_all_four_corners_are_on_the_screen(
    browser: Browser, tmp_path: Path, settings: dict[str, object], shape: tuple[int, int]
) -> None:
    with (
        show(tmp_path, LABELS, frame=marked(shape)) as running,
        open_page(browser, **settings) as page,
    ):
        open_view(page, running)
        shares = shares_seen(page, page.locator(".picture"), shape)
        assert is_whole(shares), shares


@pytest.mark.fault(96)
@pytest.mark.parametrize("settings", [ZOOMED, LYING], ids=["zoomed", "phone that lies"])
def test_a_low_window_shows_all_of_the_picture_at_once(
    browser: Browser, tmp_path: Path, settings: dict[str, object]
) -> None:
    shape = SHAPES["portrait"]
    with (
        show(tmp_path, LABELS, frame=marked(shape)) as running,
        open_page(browser, **settings) as page,
    ):
        open_view(page, running)
        shares = shares_seen(page, page.locator(".picture"), shape)
        assert is_whole(shares), shares
