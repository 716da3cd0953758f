"""Events and pictures: made once, given to all, and to nobody who does not take them."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from edgecls.web import Channel, FrameStream, Shown
from edgecls.web.limits import Limits
from tests.support.broker import wait_until
from tests.support.patience import patience
from tests.support.web import (
    HANGS_S,
    connect,
    is_closed,
    read_head,
    read_page_part,
    read_part,
)
from tests.web.conftest import House

OpenHouse = Callable[..., House]
SOON: Final = Limits(stuck_s=1.0, heartbeat_s=0.3)


@contextlib.contextmanager
def looking(house: House, path: str) -> Iterator[Any]:
    """A viewer; its reply as a file."""
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=HANGS_S)
    with contextlib.closing(connection):
        connection.request("GET", path)
        reply = connection.getresponse()
        assert reply.status == 200
        yield reply


class Looker:
    """A viewer that is never busy."""

    waiting_bytes = 0
    later = b""

    def write(self, content: bytes) -> None:
        """Take it."""

    def drop(self) -> None:
        """Never."""


def next_event(stream: Any) -> tuple[str, Any]:
    """The name and value of the next event."""
    name = ""
    while True:
        field, _, value = stream.readline().decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        if field == "data":
            return name, json.loads(value)


class TestChannel:
    def test_a_page_is_told_where_things_stand_and_then_what_happens(self, house: House) -> None:
        house.kept += [1, 2]
        with looking(house, "/events") as page:
            assert next_event(page) == ("state", {"kept": 2})
            house.events.send("change", {"label": "two\nlines </script>"})
            assert next_event(page) == ("change", {"label": "two\nlines </script>"})

    def test_all_pages_are_told_in_the_same_order(self, house: House) -> None:
        with contextlib.ExitStack() as closing:
            pages = [closing.enter_context(looking(house, "/events")) for _ in range(5)]
            for page in pages:
                next_event(page)
            for number in range(100):
                house.events.send("count", number)
            for page in pages:
                assert [next_event(page)[1] for _ in range(100)] == list(range(100))

    def test_nobody_looks_when_all_have_gone(self, house: House) -> None:
        assert not house.events.is_watched
        with looking(house, "/events") as page:
            next_event(page)
            assert house.events.viewers == 1
            page.close()
        wait_until(lambda: not house.events.is_watched, "the viewer's going is noticed")

    def test_a_sign_of_life_comes_where_nothing_happens(self, open_house: OpenHouse) -> None:
        house = open_house(SOON)
        with looking(house, "/events") as page:
            next_event(page)
            page.readline()
            assert page.readline() == b": still here\n"

    def test_a_page_that_takes_nothing_is_dropped_before_it_fills_the_memory(
        self, house: House
    ) -> None:
        with connect(house.port) as stuck, looking(house, "/events") as page:
            stuck.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: house.events.viewers == 2, "both look")
            next_event(page)
            big = "x" * 100_000
            for _ in range(100):
                house.events.send("big", big)
                assert next_event(page) == ("big", big)
            assert house.events.viewers == 1

    def test_sending_to_nobody_does_nothing(self) -> None:
        channel = Channel()
        channel.send("change", object())  # not even written down, or this could not be
        assert not channel.is_watched


def offer(house: House, jpeg: bytes, number: int = 0) -> None:
    """A frame that is at hand."""
    house.pictures.offer(lambda: Shown(jpeg, {"frame": number}))


class TestFrameStream:
    def test_a_viewer_sees_every_picture(self, house: House) -> None:
        with looking(house, "/picture") as viewer:
            assert viewer.headers["Content-Type"].startswith("multipart/x-mixed-replace")
            assert viewer.readline() == b"--edgecls-frame\r\n"
            assert read_head(viewer)["Content-Type"] == "image/jpeg"
            for number in range(20):
                offer(house, b"\xff\xd8 picture %d" % number)
                assert read_part(viewer) == b"\xff\xd8 picture %d" % number

    def test_a_page_is_given_each_picture_together_with_its_facts(self, house: House) -> None:
        with looking(house, "/frames") as viewer:
            for number in range(20):
                offer(house, b"\xff\xd8 picture %d" % number, number)
                facts, jpeg = read_page_part(viewer)
                assert (facts, jpeg) == ({"frame": number}, b"\xff\xd8 picture %d" % number)

    @pytest.mark.fault(91)
    def test_who_comes_late_is_given_the_newest_at_once(self, house: House) -> None:
        offer(house, b"\xff\xd8 old", 1)
        offer(house, b"\xff\xd8 newest", 2)
        with looking(house, "/frames") as page, looking(house, "/picture") as program:
            assert read_page_part(page) == ({"frame": 2}, b"\xff\xd8 newest")
            program.readline()
            read_head(program)
            assert read_part(program) == b"\xff\xd8 newest"
            with looking(house, "/frames") as another:
                assert read_page_part(another) == ({"frame": 2}, b"\xff\xd8 newest")

    def test_a_frame_is_made_once_for_all_and_never_for_nobody(self, house: House) -> None:
        made: list[int] = []

        def make() -> Shown:
            made.append(0)
            return Shown(b"\xff\xd8", {})

        house.pictures.offer(make)
        time.sleep(0.1)
        assert made == []
        with contextlib.ExitStack() as closing:
            viewers = [closing.enter_context(looking(house, "/frames")) for _ in range(10)]
            for viewer in viewers:
                read_page_part(viewer)
            assert made == [0]

    def test_no_more_frames_a_second_are_made_than_were_asked_for(self) -> None:
        stream = FrameStream(a_second=20.0)
        made: list[int] = []
        looker = Looker()
        stream.pages.join(looker)
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            stream.offer(lambda: made.append(0))
            time.sleep(0.005)
        stream.pages.leave(looker)
        assert 10 <= len(made) <= 22

    def test_what_fails_is_told_by_the_owner_and_the_next_frame_shown(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("EDGECLS_STRICT")
        with looking(house, "/frames") as viewer:
            house.pictures.offer(lambda: 1 / 0)  # type: ignore[arg-type,return-value]
            wait_until(lambda: house.pictures.failure is not None, "it is noted")
            offer(house, b"\xff\xd8", 7)
            assert read_page_part(viewer)[0] == {"frame": 7}

    def test_a_sign_of_life_is_an_empty_part(self, open_house: OpenHouse) -> None:
        house = open_house(SOON)
        with looking(house, "/frames") as viewer:
            assert viewer.read(8) == bytes(8)

    @pytest.mark.fault(86)
    def test_a_stuck_viewer_is_dropped_and_the_others_see_every_picture(
        self, open_house: OpenHouse
    ) -> None:
        house = open_house(SOON)
        with connect(house.port) as stuck, looking(house, "/picture") as viewer:
            stuck.sendall(b"GET /picture HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: house.pictures.viewers == 2, "both look")
            viewer.readline()
            read_head(viewer)
            end = time.monotonic() + patience(10.0)
            number = 0
            while house.pictures.viewers == 2 and time.monotonic() < end:
                number += 1
                picture = b"%06d" % number + b" " * 60_000
                offer(house, picture)
                assert read_part(viewer) == picture
                time.sleep(0.01)
            assert house.pictures.viewers == 1
            assert house.server.stuck == 1
            assert is_closed(stuck)

    def test_the_limit_for_stuck_viewers_is_ten_seconds(self) -> None:
        assert Limits().stuck_s == 10.0

    def test_a_slow_viewer_gets_the_newest_and_not_those_it_missed(self, house: House) -> None:
        with looking(house, "/picture") as slow:
            slow.readline()
            read_head(slow)
            for number in range(300):  # 30 MB, which no buffer holds
                offer(house, b"%06d" % number + bytes(100_000))
                time.sleep(0.003)
            seen = [read_part(slow)[:6]]
            while seen[-1] != b"000299":
                seen.append(read_part(slow)[:6])
            assert seen == sorted(seen)
            assert len(seen) < 100

    def test_a_viewer_that_talks_is_none(self, house: House) -> None:
        with connect(house.port) as client:
            client.sendall(b"GET /picture HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: house.pictures.is_watched, "it looks")
            client.sendall(b"x" * 1000)
            assert is_closed(client)
