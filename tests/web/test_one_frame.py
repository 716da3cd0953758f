"""Picture, label, scores and outline on the page are of one frame, whatever the source does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from edgecls.contract.events import PredictionEvent
from edgecls.gating import MotionSettings
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.view import Region, View
from tests.support.broker import wait_until
from tests.support.browser import wait_for, wait_for_text
from tests.support.tiny_model import frame_of
from tests.support.web import fetch
from tests.web.show import LABELS, Show, open_view, show

if TYPE_CHECKING:
    from playwright.sync_api import Page

# What stands on the page in one moment: the gray of the picture's middle, and what is said.
LOOK: Final = """
    () => {
        const text = (where) => document.querySelector(where).textContent;
        const [picture, said] = ["#picture", "#now"].map((name) => document.querySelector(name));
        const spot = [picture.width / 2, picture.height / 2, 1, 1];
        return {
            gray: picture.getContext("2d").getImageData(...spot).data[0],
            label: text("#scores li:first-child .name"),
            frames: [picture, said].map((part) => Number(part.dataset.frame)),
        };
    }
"""


def cycling(number: int) -> Frame:
    """Another label with each frame."""
    return frame_of(number % len(LABELS), len(LABELS))


def label_of(gray: int) -> str:
    """Whose frame is so bright."""
    return LABELS[gray * len(LABELS) // 256]


def check_one_frame(page: Page) -> int:
    """Fail where the page mixes two frames; gives the frame's number."""
    seen = page.evaluate(LOOK)
    assert label_of(seen["gray"]) == seen["label"]
    assert seen["frames"][0] == seen["frames"][1]
    assert LABELS[seen["frames"][0] % len(LABELS)] == seen["label"]
    number: int = seen["frames"][0]
    return number


@pytest.mark.fault(91)
class TestOneFrame:
    def test_at_thirty_frames_a_second(self, page: Page, stage: Show) -> None:
        stage.stage.draw = cycling
        open_view(page, stage)
        page.wait_for_timeout(300)  # what was shown before is gone
        numbers = []
        for _ in range(100):
            numbers.append(check_one_frame(page))
            page.wait_for_timeout(20)  # so that two seconds are looked at, however quick a look is
        assert numbers == sorted(numbers)
        assert len(set(numbers)) >= 5

    def test_a_late_page_of_a_source_that_is_silent_is_given_the_newest_at_once(
        self, page: Page, tmp_path: Path
    ) -> None:
        with show(tmp_path, LABELS, fps=20.0) as running:
            running.stage.draw = cycling
            wait_until(lambda: len(running.heard.events) > 10, "some frames went by")
            running.stage.is_silent = True
            time.sleep(0.3)
            open_view(page, running)
            assert check_one_frame(page) == last_prediction(running).frame

    def test_while_nothing_moves(self, page: Page, tmp_path: Path) -> None:
        idle = MotionSettings(idle_fps=0.0)
        with show(tmp_path, LABELS, motion=idle) as running:
            open_view(page, running)
            wait_for_text(page, "#scores li:first-child .name", "black")
            running.stage.frame = frame_of(2, len(LABELS)) + np.uint8(3)
            wait_for_text(page, "#scores li:first-child .name", "gray")
            page.wait_for_timeout(2_500)  # for two seconds after a motion all frames are classified
            classified = page.evaluate(LOOK)
            # So little a change is no motion: these frames are not classified, and not shown.
            running.stage.frame = frame_of(2, len(LABELS))
            page.wait_for_timeout(500)
            assert page.evaluate(LOOK) == classified
            assert classified["gray"] == pytest.approx(frame_of(2, len(LABELS))[0, 0, 0] + 3, abs=1)

    def test_while_it_is_paused_and_after(self, page: Page, stage: Show) -> None:
        stage.stage.draw = cycling
        open_view(page, stage)
        page.wait_for_timeout(300)
        page.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(200)  # what was on its way
        paused = check_one_frame(page)
        page.wait_for_timeout(500)
        assert check_one_frame(page) == paused
        assert page.locator("#veil").inner_text() == "Paused"
        page.get_by_role("button", name="Pause").click()
        wait_for(page, "last => document.querySelector('#picture').dataset.frame > last", paused)
        assert check_one_frame(page) > paused

    def test_the_last_picture_of_a_source_that_ended_stays_with_its_label(
        self, page: Page, tmp_path: Path
    ) -> None:
        with show(tmp_path, LABELS, fps=20.0, max_frames=31) as running:
            running.stage.draw = cycling
            open_view(page, running)
            wait_for_text(page, "#link", "connection lost")
            last = last_prediction(running).frame
            wait_for(page, "last => document.querySelector('#picture').dataset.frame == last", last)
            check_one_frame(page)

    def test_of_a_source_that_is_lost_too(self, page: Page, stage: Show) -> None:
        stage.stage.draw = cycling
        open_view(page, stage)
        page.wait_for_timeout(300)
        stage.stage.is_gone = True
        wait_for_text(page, "#source", "source lost")
        check_one_frame(page)


class TestOutline:
    @pytest.mark.fault(91)
    @pytest.mark.parametrize(
        ("view", "expected"),
        [
            pytest.param(View(), [80, 0, 480, 480], id="the middle of a frame"),
            pytest.param(View(rotate=90), [0, 80, 480, 480], id="turned by 90 degrees"),
            pytest.param(View(rotate=180, flip="both"), [80, 0, 480, 480], id="by 180, mirrored"),
            pytest.param(
                View(region=Region.parse("0,0,0.5,0.25")), [100, 0, 120, 120], id="a region"
            ),
            pytest.param(
                View(rotate=270, region=Region.parse("0,0,0.5,1")), [0, 200, 240, 240], id="both"
            ),
        ],
    )
    def test_it_is_what_the_model_is_given_of_the_picture_that_is_shown(
        self, page: Page, tmp_path: Path, view: View, expected: list[int]
    ) -> None:
        frame = frame_of(1, len(LABELS), (480, 640))
        with show(tmp_path, LABELS, frame=frame, crop="center", view=view) as running:
            open_view(page, running)
            names = ("x", "y", "width", "height")
            line = page.locator("#kept rect").first
            found = [float(line.get_attribute(name) or "nan") for name in names]
        assert found == pytest.approx(expected, abs=0.1)

    def test_where_the_model_is_given_all_there_is_none(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        assert not page.locator("#kept").is_visible()


@pytest.mark.fault(93)
class TestSnapshot:
    def test_it_is_the_picture_that_is_on_the_screen(self, page: Page, tmp_path: Path) -> None:
        with show(tmp_path, LABELS, fps=20.0) as running:
            running.stage.draw = cycling
            open_view(page, running)
            page.get_by_role("button", name="Pause").click()
            page.wait_for_timeout(500)  # many frames have gone by
            seen = page.evaluate(LOOK)
            with page.expect_download() as download:
                page.get_by_text("Snapshot").click()
        saved = decode(Path(download.value.path()).read_bytes())
        assert saved.shape == (48, 64, 3)
        assert label_of(int(saved[24, 32, 0])) == seen["label"]

    def test_one_that_is_gone_is_refused_visibly(self, page: Page, stage: Show) -> None:
        open_view(page, stage)
        page.get_by_role("button", name="Pause").click()
        page.evaluate("document.querySelector('#picture').dataset.frame = 100000000")
        page.get_by_text("Snapshot").click()
        page.locator(".toast", has_text="is not kept any more").wait_for()

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            pytest.param({"frame": "100000000", "run": "same"}, 409, id="never shown"),
            pytest.param({"frame": "1", "run": "0123456789ab"}, 409, id="of an earlier start"),
            pytest.param({"frame": "1"}, 409, id="of no start"),
            pytest.param({"frame": "-1", "run": "same"}, 400, id="no number"),
            pytest.param({"run": "same"}, 400, id="a start without a number"),
            pytest.param({"frame": "9" * 400, "run": "same"}, 400, id="a very long number"),
        ],
    )
    @pytest.mark.fault(94)
    def test_no_other_frame_is_taken_for_it(
        self, page: Page, stage: Show, query: dict[str, str], status: int
    ) -> None:
        open_view(page, stage)
        run = page.locator("#picture").get_attribute("data-run")
        text = "&".join(f"{name}={value}" for name, value in query.items()).replace(
            "same", str(run)
        )
        answer = fetch(stage.server.port, f"/snapshot?{text}")
        assert answer.status == status
        assert json.loads(answer.body)["error"]

    def test_a_program_that_names_none_is_given_the_next(self, stage: Show) -> None:
        stage.put("white")
        wait_until(lambda: labels_seen(stage)[-1:] == ["white"], "it is seen")
        answer = fetch(stage.server.port, "/snapshot")
        assert label_of(int(decode(answer.body)[24, 32, 0])) == "white"


def last_prediction(running: Show) -> PredictionEvent:
    """Of the newest frame that was classified."""
    events = [event for event in running.heard.events if isinstance(event, PredictionEvent)]
    return events[-1]


def labels_seen(running: Show) -> list[str]:
    """Of all frames that were classified."""
    return [one.label for one in running.heard.events if isinstance(one, PredictionEvent)]
