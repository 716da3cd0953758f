"""What is kept is the picture that was on the screen: by its number, or not at all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from edgecls.collect.session import Seen
from edgecls.errors import SourceError
from edgecls.imaging.recent import FrameGoneError
from tests.collect.conftest import Served, wait_until
from tests.support.corners import marked_jpeg
from tests.support.scripted_camera import picture_of
from tests.support.web import fetch, looking_at_frames

if TYPE_CHECKING:
    from playwright.sync_api import Page

GONE = "the picture that was on the screen is not kept any more"


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """With the labels cat and dog."""
    return serve("cat", "dog")


def port_of(served: Served) -> int:
    return int(served.url.rstrip("/").rpartition(":")[2])


def shown_frames(served: Served, *numbers: int) -> list[dict[str, Any]]:
    """Let one who looks be shown these scenes; the facts of the frame that showed each."""
    found: dict[int, dict[str, Any]] = {}
    with looking_at_frames(port_of(served)) as frames:
        for number in numbers:
            served.camera.show(number)
            while number not in found:
                facts, jpeg = next(frames)
                if jpeg == picture_of(number):
                    found[number] = facts
    return [found[number] for number in numbers]


class TestByNumber:
    @pytest.mark.fault(92)
    def test_the_frame_that_was_seen_is_kept_and_not_the_newest(self, served: Served) -> None:
        first, second, _ = shown_frames(served, 1, 2, 3)
        served.post("press", label="cat", **second)
        served.post("press", label="cat", **first)
        assert served.kept("cat") == [2, 1]

    @pytest.mark.fault(92)
    def test_two_pages_at_different_frames_keep_each_its_own(self, served: Served) -> None:
        with (
            looking_at_frames(port_of(served)) as one,
            looking_at_frames(port_of(served)) as other,
        ):
            facts, jpeg = next(one)
            served.camera.show(7)
            later = next(facts for facts, jpeg in other if jpeg == picture_of(7))
        served.post("press", label="cat", **facts)
        served.post("press", label="dog", **later)
        assert jpeg == picture_of(0)
        assert (served.kept("cat"), served.kept("dog")) == ([0], [7])

    @pytest.mark.fault(92)
    def test_a_frame_that_is_gone_is_refused_and_nothing_kept(self, served: Served) -> None:
        (facts,) = shown_frames(served, 1)
        refused = served.post("press", label="cat", run=facts["run"], frame=facts["frame"] + 10**6)
        assert refused["status"] == 409
        assert refused["error"].startswith(GONE)
        assert "press again" in refused["hint"]
        assert served.kept("cat") == []

    @pytest.mark.fault(94)
    def test_the_same_number_of_an_earlier_start_is_another_frame(self, served: Served) -> None:
        (facts,) = shown_frames(served, 1)
        refused = served.post("press", label="cat", run="0123456789ab", frame=facts["frame"])
        assert refused["status"] == 409
        assert served.kept("cat") == []

    @pytest.mark.parametrize(
        "odd",
        [
            pytest.param({"frame": 3}, id="a number without its run"),
            pytest.param({"run": "x"}, id="a run without a number", marks=pytest.mark.fault(92)),
            pytest.param({"frame": "3", "run": "x"}, id="a text"),
            pytest.param({"frame": True, "run": "x"}, id="true"),
            pytest.param({"frame": None, "run": "x"}, id="null"),
            pytest.param({"frame": 1, "run": 2}, id="a run that is a number"),
        ],
    )
    def test_what_names_no_frame_is_refused(self, served: Served, odd: dict[str, Any]) -> None:
        shown_frames(served, 1)
        assert served.post("press", label="cat", **odd)["status"] == 400
        assert served.kept("cat") == []

    def test_a_program_that_sees_none_keeps_the_newest(self, served: Served) -> None:
        served.camera.show(4)
        served.post("press", label="cat")
        assert served.kept("cat") == [4]

    @pytest.mark.fault(92)
    def test_numbers_go_on_when_the_camera_was_away(self, served: Served) -> None:
        (before,) = shown_frames(served, 1)
        served.camera.is_plugged_in = False
        wait_until(lambda: served.session.live.state == "lost")
        with pytest.raises(SourceError, match="it was unplugged"):
            served.session.press("cat", Seen(before["run"], before["frame"]))
        served.camera.is_plugged_in = True
        wait_until(lambda: served.session.live.state == "live", 10.0)
        (after,) = shown_frames(served, 2)
        served.post("press", label="cat", **before)
        served.post("press", label="cat", **after)
        assert served.kept("cat") == [1, 2]

    @pytest.mark.fault(92)
    def test_a_resolution_that_changes_mixes_nothing_up(self, served: Served) -> None:
        (before,) = shown_frames(served, 1)
        served.camera.draw = lambda _number: marked_jpeg((200, 600))
        served.camera.show(2)
        served.post("press", label="cat", **before)
        assert served.kept("cat") == [1]

    def test_a_frame_is_kept_however_long_ago_a_slow_camera_sent_it(self, served: Served) -> None:
        (facts,) = shown_frames(served, 1)
        served.camera.fps = 0.1
        time.sleep(2.5)
        served.post("press", label="cat", **facts)
        assert served.kept("cat") == [1]


class TestHolding:
    @pytest.mark.fault(92)
    def test_each_picture_of_a_burst_is_one_that_was_seen(self, served: Served) -> None:
        first, second, third = shown_frames(served, 1, 2, 3)
        burst = served.post("press", label="cat", **first)["burst"]
        assert served.post("hold", label="cat", burst=burst, **first)["kept"] is False
        assert served.post("hold", label="cat", burst=burst, **second)["kept"] is True
        served.camera.show(9)
        assert served.post("hold", label="cat", burst=burst, **third)["kept"] is True
        assert served.kept("cat") == [1, 2, 3]

    def test_a_frame_of_the_burst_that_is_gone_is_refused(self, served: Served) -> None:
        (facts,) = shown_frames(served, 1)
        burst = served.session.press("cat", Seen(**facts)).burst
        with pytest.raises(FrameGoneError, match=GONE):
            served.session.hold(burst, "cat", Seen(facts["run"], facts["frame"] + 10**6))


class TestOnThePage:
    @pytest.mark.fault(92)
    def test_twenty_presses_keep_the_twenty_pictures_that_were_on_the_screen(
        self, served: Served, page: Page
    ) -> None:
        served.camera.is_moving = True
        page.goto(served.url)
        page.wait_for_selector("#live[data-frame]")
        seen = []
        for count in range(1, 21):
            seen.append(page.evaluate(PRESS_WHAT_IS_SEEN))
            wait_until(lambda count=count: len(served.kept("cat")) == count)
            page.wait_for_timeout(40)
        kept = [picture.name for picture in reversed(served.collection.pictures("cat"))]
        numbers = [number_in(served, name) for name in kept]
        assert numbers == seen

    @pytest.mark.fault(92)
    def test_a_tap_is_about_the_picture_that_was_there_when_the_finger_came(
        self, served: Served, page: Page
    ) -> None:
        served.camera.is_moving = True
        page.goto(served.url)
        page.wait_for_selector("#live[data-frame]")
        seen, shown_by_then = page.evaluate(TAP_FOR_LONGER_THAN_A_FRAME)
        wait_until(lambda: len(served.kept("cat")) == 1)
        (kept,) = served.collection.pictures("cat")
        assert number_in(served, kept.name) == seen < shown_by_then

    @pytest.mark.fault(92)
    def test_one_that_is_gone_is_told_in_a_sentence(self, served: Served, page: Page) -> None:
        page.goto(served.url)
        page.wait_for_selector("#live[data-frame]")
        page.evaluate(
            "document.querySelector('#live').dataset.frame = 100000000;"
            + f"({PRESS_WHAT_IS_SEEN})()"
        )
        page.locator(".toast", has_text=GONE).wait_for()
        assert served.kept("cat") == []

    @pytest.mark.fault(94)
    def test_a_page_of_an_earlier_start_keeps_nothing(self, served: Served, page: Page) -> None:
        page.goto(served.url)
        page.wait_for_selector("#live[data-frame]")
        page.evaluate(
            "document.querySelector('#live').dataset.run = 'earlier';" + f"({PRESS_WHAT_IS_SEEN})()"
        )
        page.locator(".toast", has_text=GONE).wait_for()
        assert served.kept("cat") == []

    @pytest.mark.fault(92)
    def test_before_there_is_a_picture_nothing_is_kept(
        self, serve: Callable[..., Served], page: Page
    ) -> None:
        served = serve("cat")
        served.camera.draw = lambda _number: b"no picture"
        served.camera.show(1)
        page.goto(served.url)
        page.wait_for_selector("#source.good")
        page.keyboard.press("1")
        page.locator(".toast", has_text="there is no picture on the screen yet").wait_for()
        assert served.kept("cat") == []

    @pytest.mark.fault(92)
    def test_a_page_that_comes_late_to_a_slow_camera_keeps_what_it_shows(
        self, served: Served, page: Page
    ) -> None:
        served.camera.show(6)
        served.camera.fps = 0.1
        time.sleep(0.2)
        page.goto(served.url)
        page.wait_for_selector("#live[data-frame]")
        page.keyboard.press("1")
        wait_until(lambda: served.kept("cat") == [6])


def test_frames_are_kept_within_bounds(serve: Callable[..., Served]) -> None:
    served = serve("cat")
    served.camera.is_moving = True
    recent = served.session.live.recent
    recent._limit_bytes = 5 * len(picture_of(0))
    with looking_at_frames(port_of(served)) as frames:
        shown = [next(frames)[0] for _ in range(30)]
    assert 0 < recent.size_bytes <= recent._limit_bytes
    assert served.post("press", label="cat", **shown[0])["status"] == 409
    assert fetch(port_of(served), "/state").status == 200


# Reads which picture is on the canvas, and presses, in one step.
PRESS_WHAT_IS_SEEN = """
    () => {
        const canvas = document.querySelector("#live");
        const number = Number(canvas.dataset.frame);
        const key = {key: "1", code: "Digit1", bubbles: true};
        document.dispatchEvent(new KeyboardEvent("keydown", key));
        document.dispatchEvent(new KeyboardEvent("keyup", key));
        return number;
    }
"""


# A finger on the button of the first label, until another frame is shown: what was there before,
# and what then.
TAP_FOR_LONGER_THAN_A_FRAME = """
    async () => {
        const number = () => Number(document.querySelector("#live").dataset.frame);
        const button = document.querySelector(".take");
        const send = (name) => button.dispatchEvent(
            new PointerEvent(name, {pointerType: "touch", button: 0, bubbles: true}));
        const seen = number();
        send("pointerdown");
        while (number() === seen) await new Promise((done) => setTimeout(done, 10));
        const shown = number();
        send("pointerup");
        button.click();
        return [seen, shown];
    }
"""


def number_in(served: Served, name: str) -> int:
    """The number of the frame that the log says for a picture, which its bytes must confirm."""
    lines = (served.folder / "records.jsonl").read_text().splitlines()
    frame: int = next(line["frame"] for line in map(json.loads, lines) if line["file"] == name)
    content = (served.folder / name).read_bytes()
    assert content == served.camera.sent_as[frame]
    return frame
