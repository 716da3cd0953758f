"""The hands on the camera: presses, bursts, a full disk, a lost camera."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest

from edgecls.collect.disk import NotKeptError
from edgecls.errors import InvalidValueError, SourceError
from tests.collect.conftest import Served, wait_until


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """With the labels cat and dog."""
    return serve("cat", "dog")


class TestPressing:
    def test_a_press_keeps_just_the_frame_that_is_shown(self, served: Served) -> None:
        for number in (4, 9, 2):
            served.camera.show(number)
            served.session.press("cat")
        assert served.kept("cat") == [4, 9, 2]
        assert served.session.counts.kept == 3

    def test_the_same_picture_is_kept_again_when_it_is_asked_for(self, served: Served) -> None:
        served.session.press("cat")
        served.session.press("cat")
        assert served.kept("cat") == [0, 0]

    def test_what_is_answered_is_on_the_disk(self, served: Served) -> None:
        kept = served.session.press("cat")
        assert kept.picture is not None
        assert (served.folder / kept.picture.name).exists()
        lines = (served.folder / "records.jsonl").read_text().splitlines()
        assert [json.loads(line)["file"] for line in lines] == [kept.picture.name]

    def test_where_and_when_it_was_taken_is_written_down(self, served: Served) -> None:
        before = time.time()
        served.session.press("cat")
        line = json.loads((served.folder / "records.jsonl").read_text())
        assert line["source"] == "scripted"
        assert before - 1 <= line["time"] <= time.time()

    def test_there_must_be_such_a_label(self, served: Served) -> None:
        with pytest.raises(InvalidValueError, match="no label 'bird'"):
            served.session.press("bird")

    def test_its_thumbnail_is_ready(self, served: Served) -> None:
        kept = served.session.press("cat")
        assert kept.picture is not None
        assert served.session.gallery.look(kept.picture) is not None


class TestHolding:
    def test_what_looks_the_same_is_left_out(self, served: Served) -> None:
        burst = served.session.press("cat").burst
        replies = [served.session.hold(burst, "cat") for _ in range(3)]
        assert [(reply.picture, reply.is_alike) for reply in replies] == [(None, True)] * 3
        assert served.kept("cat") == [0]
        assert served.session.counts.alike == 3

    def test_what_is_new_is_kept(self, served: Served) -> None:
        burst = served.session.press("cat").burst
        for number in (1, 2):
            served.camera.show(number)
            assert served.session.hold(burst, "cat").picture is not None
        assert served.kept("cat") == [0, 1, 2]
        assert served.collection.moments("cat") == 1

    def test_what_an_earlier_press_kept_is_not_new(self, served: Served) -> None:
        served.session.press("cat")
        served.camera.show(1)
        burst = served.session.press("cat").burst
        served.camera.show(0)
        assert served.session.hold(burst, "cat").is_alike

    def test_another_label_may_show_the_same(self, served: Served) -> None:
        served.session.press("cat")
        served.session.press("dog")
        assert (served.kept("cat"), served.kept("dog")) == ([0], [0])

    def test_at_most_five_a_second_are_kept(self, served: Served) -> None:
        served.camera.is_moving = True
        started = time.monotonic()
        burst = served.session.press("cat").burst
        for _ in range(5):
            served.session.hold(burst, "cat")
        assert len(served.kept("cat")) == 6
        assert time.monotonic() - started >= 5 * 0.2 - 0.05

    def test_a_slow_camera_has_nothing_new_for_a_while(self, served: Served) -> None:
        burst = served.session.press("cat").burst
        served.camera.fps = 0.5
        replies = [served.session.hold(burst, "cat") for _ in range(3)]
        assert (replies[-1].picture, replies[-1].is_alike) == (None, False)
        served.camera.fps = 50.0
        served.camera.show(1)
        assert served.session.hold(burst, "cat").picture is not None

    def test_a_burst_that_nobody_knows_begins_anew(self, served: Served) -> None:
        kept = served.session.hold("of an earlier run", "cat")
        assert kept.picture is not None
        assert kept.burst != "of an earlier run"

    def test_so_does_one_of_another_label(self, served: Served) -> None:
        burst = served.session.press("cat").burst
        assert served.session.hold(burst, "dog").burst != burst
        assert served.kept("dog") == [0]

    def test_one_undo_takes_it_all_back(self, served: Served) -> None:
        served.camera.is_moving = True
        burst = served.session.press("cat").burst
        served.session.hold(burst, "cat")
        served.session.undo()
        assert served.kept("cat") == []
        assert served.session.counts.kept == 0

    def test_what_was_taken_back_is_new_again(self, served: Served) -> None:
        burst = served.session.press("cat").burst
        assert served.session.hold(burst, "cat").is_alike
        served.session.undo()
        assert served.session.hold(burst, "cat").picture is not None
        assert served.kept("cat") == [0]


class TestLostCamera:
    def test_nothing_is_kept_of_a_camera_that_is_away(self, served: Served) -> None:
        served.camera.is_plugged_in = False
        wait_until(lambda: served.session.live.state == "lost")
        with pytest.raises(SourceError, match="it was unplugged"):
            served.session.press("cat")
        assert served.kept("cat") == []

    def test_when_it_is_back_collecting_goes_on(self, served: Served) -> None:
        served.camera.is_plugged_in = False
        wait_until(lambda: served.session.live.state == "lost")
        served.camera.is_plugged_in = True
        wait_until(lambda: served.session.live.state == "live", 10.0)
        served.camera.show(5)
        served.session.press("cat")
        assert served.kept("cat") == [5]


@pytest.mark.fault(68)
class TestFullDisk:
    def test_collecting_stops_and_says_so_and_goes_on_when_there_is_room(
        self, serve: Callable[..., Served]
    ) -> None:
        served = serve("cat", quota_bytes=1, min_free_bytes=0)
        with pytest.raises(NotKeptError, match="not kept: the quota of 0 MB is used up"):
            served.session.press("cat")
        assert served.said == [
            "collecting stops: the quota of 0 MB is used up; the live picture goes on"
        ]
        assert served.session.live.state == "live"
        assert served.session.disk.problem
        served.collection._quota._max_bytes = 0  # as if somebody had made room
        wait_until(lambda: not served.session.disk.problem)
        assert served.said[1:] == ["collecting goes on: the disk takes pictures again"]
        served.session.press("cat")
        assert served.kept("cat") == [0]

    def test_it_is_said_before_anybody_presses(self, serve: Callable[..., Served]) -> None:
        served = serve("cat", min_free_bytes=1 << 60)
        wait_until(lambda: bool(served.session.disk.problem))
        wait_until(lambda: "left to others" in served.get("state")["disk"])

    def test_what_is_there_can_be_deleted_all_the_same(self, serve: Callable[..., Served]) -> None:
        served = serve("cat")
        kept = served.session.press("cat")
        served.collection._quota._max_bytes = 1
        wait_until(lambda: bool(served.session.disk.problem))
        assert kept.picture is not None
        assert served.session.discard([kept.picture.id]).count == 1
        assert served.session.empty_trash() == 1


def test_many_hands_at_once_lose_nothing(served: Served) -> None:
    kept: list[str] = []

    def press(label: str) -> None:
        for _ in range(10):
            reply = served.session.press(label)
            assert reply.picture is not None
            kept.append(reply.picture.name)

    def hold(label: str) -> None:
        burst = ""
        for _ in range(5):
            reply = served.session.hold(burst, label)
            burst = reply.burst
            if reply.picture is not None:
                kept.append(reply.picture.name)

    served.camera.is_moving = True
    hands = [(press, "cat"), (hold, "cat"), (press, "dog"), (hold, "cat"), (hold, "dog")]
    threads = [threading.Thread(target=hand, args=(label,)) for hand, label in hands * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(kept)) == len(kept) == served.session.counts.kept
    assert len(kept) >= 40
    files = [path.relative_to(served.folder) for path in served.folder.glob("*/*.jpg")]
    assert sorted(map(str, files)) == sorted(kept)
