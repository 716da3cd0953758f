"""Neither the live picture nor a kept one is cut, whatever its shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.collect.conftest import Served
from tests.support.browser import open_page, wait_for
from tests.support.corners import SHAPES, is_whole, marked_jpeg, shares_seen

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DESK = {"viewport": {"width": 1366, "height": 768}}
# What a desk of 1366x768 has at 200%.
ZOOMED = {"viewport": {"width": 683, "height": 384}, "device_scale_factor": 2}
LYING = {"viewport": {"width": 568, "height": 320}, "is_mobile": True, "has_touch": True}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
IS_LOADED = "where => document.querySelector(where)?.naturalWidth > 0"


@pytest.mark.fault(96)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("settings", [DESK, PHONE], ids=["desk", "phone"])
def test_all_four_corners_are_on_the_screen(
    serve: Callable[..., Served],
    browser: Browser,
    settings: dict[str, object],
    shape: tuple[int, int],
) -> None:
    served = serve("cat")
    served.camera.draw = lambda _number: marked_jpeg(shape)
    served.camera.show(0)
    with open_page(browser, **settings) as page:
        page.goto(served.url)
        page.wait_for_selector("#live[data-frame]")
        live = shares_seen(page, page.locator("#frame"), shape)
        page.keyboard.press("1")
        wait_for(page, IS_LOADED, "#grid img")
        wait_for(page, IS_LOADED, ".take img")
        thumbnail = shares_seen(page, page.locator("#grid img"), shape)
        button = shares_seen(page, page.locator(".take img"), shape)
        page.locator("#grid li").dblclick()
        wait_for(page, IS_LOADED, "#large-picture")
        large = shares_seen(page, page.locator("#large"), shape)
    assert [is_whole(part) for part in (live, thumbnail, button, large)] == [True] * 4


@pytest.mark.fault(96)
@pytest.mark.parametrize("settings", [DESK, PHONE], ids=["desk", "phone"])
def test_the_tick_of_a_chosen_picture_covers_none_of_it(
    serve: Callable[..., Served], browser: Browser, settings: dict[str, object]
) -> None:
    served = serve("cat")
    served.camera.draw = lambda _number: marked_jpeg(SHAPES["square"])
    served.camera.show(0)
    with open_page(browser, **settings) as page:
        page.goto(served.url)
        page.wait_for_selector("#live[data-frame]")
        page.keyboard.press("1")
        wait_for(page, IS_LOADED, "#grid img")
        page.locator("#grid li").click()
        page.wait_for_selector("#grid li[aria-selected='true']")
        chosen = shares_seen(page, page.locator("#grid li"), SHAPES["square"])
    assert is_whole(chosen), chosen


@pytest.mark.fault(96)
@pytest.mark.parametrize("settings", [ZOOMED, LYING], ids=["zoomed", "phone that lies"])
def test_a_low_window_shows_all_of_the_live_picture_at_once(
    serve: Callable[..., Served], browser: Browser, settings: dict[str, object]
) -> None:
    served = serve("cat")
    served.camera.draw = lambda _number: marked_jpeg(SHAPES["portrait"])
    served.camera.show(0)
    with open_page(browser, **settings) as page:
        page.goto(served.url)
        page.wait_for_selector("#live[data-frame]")
        live = shares_seen(page, page.locator("#frame"), SHAPES["portrait"])
    assert is_whole(live), live
