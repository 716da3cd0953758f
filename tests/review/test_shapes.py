"""Neither a picture that is reviewed nor its thumbnail is cut, whatever its shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.review.conftest import Desk
from tests.support.browser import open_page, wait_for
from tests.support.corners import SHAPES, is_whole, marked_jpeg, shares_seen

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DESK = {"viewport": {"width": 1366, "height": 768}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
IS_LOADED = "where => document.querySelector(where)?.naturalWidth > 0"


@pytest.mark.fault(96)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("settings", [DESK, PHONE], ids=["desk", "phone"])
def test_all_four_corners_are_on_the_screen(
    open_desk: Callable[..., Desk],
    browser: Browser,
    settings: dict[str, object],
    shape: tuple[int, int],
) -> None:
    desk = open_desk([("cat", 0.9, 1, 10.0)], draw=lambda _seed, _noise: marked_jpeg(shape))
    with open_page(browser, **settings) as page:
        page.goto(desk.url)
        wait_for(page, IS_LOADED, "#large")
        wait_for(page, IS_LOADED, "#pictures img")
        large = shares_seen(page, page.locator(".picture"), shape)
        thumbnail = shares_seen(page, page.locator("#pictures img"), shape)
    assert [is_whole(part) for part in (large, thumbnail)] == [True] * 2
