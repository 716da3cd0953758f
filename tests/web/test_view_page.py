"""The live view in a real browser: what the loop sees and says is on the page, and nothing else."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from edgecls.contract.conditions import DriftEvent
from edgecls.contract.events import ChangeEvent
from edgecls.contract.warning_event import WarningEvent
from edgecls.imaging.header import read_header
from tests.support.broker import wait_until
from tests.support.browser import (
    wait_for,
    wait_for_text,
)
from tests.web.show import LABELS, Show, open_view, show

if TYPE_CHECKING:
    from playwright.sync_api import Page

NASTY: Final = '<img src=x onerror="document.title=1">'


class TestWhatIsSeen:
    def test_a_scripted_sources_labels_come_in_order(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        wait_for_text(page, "#steady", "black")
        for label in ("white", "gray", "dark", "light"):
            stage.put(label)
            wait_for_text(page, "#steady", label)
        changes = [event for event in stage.heard.events if isinstance(event, ChangeEvent)]
        assert [change.label for change in changes] == ["black", "white", "gray", "dark", "light"]
        lines = page.locator("#log li span").all_text_contents()
        assert [line.split(" ")[0] for line in reversed(lines)] == [c.label for c in changes]

    def test_the_best_scores_stand_as_bars_with_their_share(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        stage.put("gray")
        wait_for_text(page, "#scores li:first-child .name", "gray")
        score = page.locator("#scores li:first-child .number").text_content() or ""
        width = page.locator("#scores li:first-child .fill").evaluate("bar => bar.style.width")
        assert re.fullmatch(r"\d+%", score)
        assert width == score
        assert page.locator("#scores li").count() == 3

    def test_the_picture_is_what_the_camera_sees_now(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        stage.put("white")
        wait_for(
            page,
            """() => {
                const canvas = document.createElement("canvas");
                canvas.width = canvas.height = 1;
                const brush = canvas.getContext("2d");
                brush.drawImage(document.querySelector("#picture"), 0, 0, 1, 1);
                return brush.getImageData(0, 0, 1, 1).data[0] > 200;
            }""",
        )

    def test_the_last_minute_is_drawn(self, page: Page, stage: Show) -> None:
        wait_until(lambda: len(stage.heard.events) > 30, "a second has gone by")
        open_view(page, stage)
        line = page.locator("#line").get_attribute("d") or ""
        assert line.count("L") >= 2  # of before anybody looked

    def test_figures_of_the_loop_are_told(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        wait_for(page, "Number(document.querySelector('#fps').textContent) > 1")
        stages = page.locator("#stages th").all_text_contents()
        assert {"prepare", "invoke", "decide"} <= set(stages)
        assert re.fullmatch(r"\d+ ms", page.locator("#age").text_content() or "")
        assert (page.locator("#dropped").text_content() or "").isdecimal()

    def test_a_source_that_is_lost_and_comes_back_is_told(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        wait_for_text(page, "#source", "source live")
        stage.stage.is_gone = True
        wait_for_text(page, "#source", "source lost")
        page.wait_for_selector("text=the source is lost: the cable was pulled")
        assert page.locator("#veil").is_visible()
        assert "stale" in (page.locator("#now").get_attribute("class") or "")
        stage.stage.is_gone = False
        wait_for_text(page, "#source", "source live")
        assert not page.locator("#veil").is_visible()

    def test_drift_is_told_until_it_is_over(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        assert not page.locator("#drift").is_visible()
        stage.view.handle(DriftEvent("drifting", 0.0, "brightness", 31.0, 118.0, 80.0, 160.0))
        page.wait_for_selector("#drift:has-text('brightness is 31, learnt 80 to 160')")
        stage.view.handle(DriftEvent("back", 0.0, "brightness", 118.0, 118.0, 80.0, 160.0))
        page.wait_for_selector("#drift", state="hidden")

    def test_a_camera_whose_pictures_are_black_is_told(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        told = WarningEvent("black", "begin", 0.0, "stage", 10.0, "its frames are black")
        stage.view.handle(told)
        page.wait_for_selector("#trouble:has-text('its frames are black')")

    def test_a_page_that_comes_late_is_told_what_happened(self, page: Page, stage: Show) -> None:
        stage.view.handle(DriftEvent("drifting", 0.0, "brightness", 31.0, 118.0, 80.0, 160.0))
        open_view(page, stage)
        assert page.locator("#drift").is_visible()
        assert page.locator("#log li").count() >= 2

    def test_a_connection_that_broke_comes_back_by_itself(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        for client in stage.server._clients:
            stage.server.soon(client.drop)
        wait_for_text(page, "#link", "connection lost")
        wait_for_text(page, "#link", "connected")
        stage.put("white")
        wait_for_text(page, "#steady", "white")

    def test_a_label_of_markup_stays_text(self, page: Page, tmp_path: Path) -> None:
        with show(tmp_path, (NASTY, "other")) as running:
            open_view(page, running)
            wait_for_text(page, "#steady", NASTY)
            assert page.locator("img[src=x]").count() == 0
            running.put("other")
            page.wait_for_selector("#log li >> nth=1")
            assert NASTY in (page.locator("#log").text_content() or "")
            assert page.title() == "model.tflite · edgecls"

    @pytest.mark.fault(124)
    def test_a_label_that_would_turn_the_text_around_is_written_out(
        self, page: Page, tmp_path: Path
    ) -> None:
        with show(tmp_path, ("\u202etac\u200b", "other")) as running:
            open_view(page, running)
            wait_for_text(page, "#steady", r"\u202etac\u200b")


class TestWhatPeopleDo:
    def test_a_snapshot_is_a_file_of_what_the_camera_sent(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        with page.expect_download() as download:
            page.get_by_text("Snapshot").click()
        assert re.fullmatch(r"edgecls-\d{8}-\d{6}\.jpg", download.value.suggested_filename)
        assert read_header(Path(download.value.path()).read_bytes()).size == (48, 64)

    def test_keeping_pictures_is_switched_off_and_on(self, page: Page, stage: Show) -> None:
        assert stage.recorder is not None
        open_view(page, stage)
        button = page.get_by_role("button", name="Record")
        assert button.get_attribute("aria-pressed") == "true"
        button.click()
        page.wait_for_selector("#record[aria-pressed=false]")
        assert not stage.recorder.is_on
        button.click()
        page.wait_for_selector("#record[aria-pressed=true]")
        assert stage.recorder.is_on

    def test_without_a_recording_there_is_nothing_to_switch(
        self, page: Page, tmp_path: Path
    ) -> None:
        with show(tmp_path, LABELS) as running:
            open_view(page, running)
            assert page.get_by_role("button", name="Record").count() == 0

    def test_a_paused_picture_is_made_no_more(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        page.get_by_role("button", name="Pause").click()
        wait_until(lambda: stage.view.viewers["pictures"] == 0, "nobody sees pictures")
        assert stage.view.viewers["events"] == 1
        page.get_by_role("button", name="Pause").click()
        wait_until(lambda: stage.view.viewers["pictures"] == 1, "somebody sees them again")

    def test_everything_can_be_done_with_keys_alone(self, page: Page, stage: Show) -> None:
        assert stage.recorder is not None
        open_view(page, stage)
        page.keyboard.press("r")
        page.wait_for_selector("#record[aria-pressed=false]")
        page.keyboard.press("p")
        page.wait_for_selector("#pause[aria-pressed=true]")
        with page.expect_download():
            page.keyboard.press("s")
        reached = []
        for _ in range(6):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id"))
        assert [name for name in reached if name] == ["snapshot", "record", "pause", "log"]
        page.locator("#record").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#record[aria-pressed=true]")


def test_nothing_of_the_page_comes_from_elsewhere(stage: Show) -> None:
    for name in (
        "",
        "view.js",
        "view.css",
        "style.css",
        "dom.js",
        "live.js",
        "chart.js",
        "words.js",
    ):
        with urllib.request.urlopen(stage.url + name) as reply:
            text = reply.read().decode()
        assert re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", text) == []
        assert (
            re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text) == []
        )
