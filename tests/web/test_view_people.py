"""Who looks at the live view: on a phone, with a screen reader, with and without the token."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecls.contract.conditions import DriftEvent
from tests.support.broker import wait_until
from tests.support.browser import (
    check_accessibility,
    open_page,
    scrolls_sideways,
    wait_for_text,
)
from tests.web.show import LABELS, Show, open_view, show

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


class TestWhoLooks:
    def test_on_a_phone_nothing_is_cut_off(self, phone: Page, stage: Show) -> None:
        open_view(phone, stage)
        assert not scrolls_sideways(phone)
        box = phone.locator("#steady").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 844  # the label is there without scrolling
        for button in phone.locator("button:visible, a.button:visible").all():
            size = button.bounding_box()
            assert size is not None
            assert size["height"] >= 44  # for a thumb (WCAG 2.5.5)

    def test_a_label_without_spaces_does_not_widen_a_phones_page(
        self, phone: Page, tmp_path: Path
    ) -> None:
        with show(tmp_path, ("x" * 200, "other")) as running:
            open_view(phone, running)
            assert not scrolls_sideways(phone)

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_finds_nothing_serious(self, browser: Browser, stage: Show, scheme: str) -> None:
        with open_page(browser, color_scheme=scheme) as page:
            open_view(page, stage)
            stage.view.handle(DriftEvent("drifting", 0.0, "contrast", 1.0, 5.0, 4.0, 6.0))
            page.wait_for_selector("#drift:visible")
            check_accessibility(page)

    def test_a_screen_reader_is_told_the_steady_label_and_not_every_frame(
        self, page: Page, stage: Show
    ) -> None:
        open_view(page, stage)
        assert page.locator("#steady").get_attribute("aria-live") == "polite"
        assert page.locator("#scores [aria-live], #scores[aria-live]").count() == 0
        page.evaluate(
            """() => {
                window.spoken = 0;
                new MutationObserver(all => { spoken += all.length; })
                    .observe(document.querySelector("#steady"),
                             {childList: true, characterData: true, subtree: true});
            }"""
        )
        before = len(stage.heard.events)
        wait_until(lambda: len(stage.heard.events) > before + 30, "a second has gone by")
        assert page.evaluate("spoken") == 0
        stage.put("white")
        wait_for_text(page, "#steady", "white")
        assert page.evaluate("spoken") == 1

    def test_who_wants_no_motion_gets_none(self, browser: Browser, stage: Show) -> None:
        with open_page(browser, reduced_motion="reduce") as page:
            open_view(page, stage)
            moves = page.locator("#scores .fill").first.evaluate(
                "bar => getComputedStyle(bar).transitionProperty"
            )
            assert moves == "none"


class TestToken:
    @pytest.mark.fault(89)
    def test_a_browser_is_asked_for_the_token_and_let_in_with_it(
        self, page: Page, tmp_path: Path
    ) -> None:
        token = tmp_path / "token"
        with show(tmp_path, LABELS, token_file=token) as running:
            page.goto(running.url)
            check_accessibility(page)
            page.get_by_label("Token").fill("a guess")
            page.keyboard.press("Enter")
            page.wait_for_selector("text=That is not the token.")
            page.get_by_label("Token").fill(token.read_text().strip())
            page.keyboard.press("Enter")
            page.wait_for_selector("#steady")
            wait_for_text(page, "#steady", "black")
            assert page.url == running.url
            assert page.evaluate("document.cookie") == ""
            page.reload()
            wait_for_text(page, "#steady", "black")
            page.get_by_role("button", name="Pause").click()

    @pytest.mark.fault(89)
    def test_the_page_of_another_site_changes_nothing(self, browser: Browser, stage: Show) -> None:
        with contextlib.closing(browser.new_page()) as page:  # its own complaints do not matter
            page.route("http://evil.example/", lambda route: route.fulfill(body="<title>x</title>"))
            page.goto("http://evil.example/")
            got = page.evaluate(
                """url => fetch(url + "recording", {method: "POST", mode: "no-cors",
                                                    body: '{"on": false}'})
                    .then(reply => reply.type, wrong => "stopped")""",
                stage.url,
            )
            seen = page.evaluate(
                """url => new Promise(resolve => {
                    const image = new Image();
                    image.onload = () => resolve("shown");
                    image.onerror = () => resolve("refused");
                    image.src = url + "picture";
                })""",
                stage.url,
            )
        assert got in ("opaque", "stopped")  # sent without asking first, or not even that
        assert seen == "refused"
        assert stage.recorder is not None
        assert stage.recorder.is_on
