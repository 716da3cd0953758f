"""Reviews of large folders: served at once, made ready meanwhile, so many pictures at a time."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgecls.collect.collection import Collection
from edgecls.collect.disk import StillReadingError
from edgecls.review.app import ReviewApp
from edgecls.review.desk import Desk
from edgecls.review.found import open_folder, read_folder
from edgecls.review.look import read_picture
from edgecls.review.review import Review
from edgecls.web import Listen, WebServer, open_access
from tests.collect.conftest import post, wait_until
from tests.review import conftest
from tests.review.recording import SHOWN, ids_of, jpeg_of, record
from tests.support.patience import patience
from tests.support.web import fetch

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Scenes that are not alike, the least certain first.
MANY = tuple(("cat", 0.5 + number / 100, number, 10.0 * number) for number in range(12))


class SlowDesk(Desk):
    """A desk that begins when a test says so."""

    def __init__(self, folder: Path, into: Path, most: int = 5000) -> None:
        self.goes_on = threading.Event()
        self.collection = Collection(into, quota_bytes=0, min_free_bytes=0)
        opened = open_folder(folder)
        super().__init__(opened, Review(opened.root, (), self.collection), most=most)
        self.server = WebServer(ReviewApp(self).web, open_access(Listen(port=0))).start()
        self.start()

    def end(self) -> None:
        self.goes_on.set()
        self.close()
        self.server.close()
        self.review.close()
        self.collection.close()

    def get(self, path: str) -> Any:
        return json.loads(fetch(self.server.port, path).body)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return post(self.server.urls[0], path, **body)

    def _supply(self) -> None:
        self.goes_on.wait(patience(10.0))
        super()._supply()


@pytest.fixture
def open_slow(tmp_path: Path) -> Iterator[Callable[..., SlowDesk]]:
    desks = []

    def make(shown: conftest.Shown = SHOWN, most: int = 5000) -> SlowDesk:
        record(tmp_path / "seen", shown)
        desks.append(SlowDesk(tmp_path / "seen", tmp_path / "into", most))
        return desks[-1]

    yield make
    for desk in desks:
        desk.end()


@pytest.mark.fault(99)
def test_the_page_says_how_far_it_is_before_there_is_anything_to_decide_about(
    open_slow: Callable[..., SlowDesk],
) -> None:
    desk = open_slow()
    assert desk.get("/state")["reading"] == {"stage": "reading", "read": 0, "expected": None}
    desk.goes_on.set()
    wait_until(lambda: desk.get("/state")["reading"] is None)
    assert desk.get("/state")["left"] == 4


@pytest.mark.fault(99)
def test_who_asks_for_the_first_group_too_early_waits_for_it(
    open_slow: Callable[..., SlowDesk],
) -> None:
    desk = open_slow()
    threading.Timer(0.3, desk.goes_on.set).start()
    assert len(desk.get("/group")["group"]["pictures"]) > 0


@pytest.mark.fault(99)
def test_decisions_wait_and_when_some_wait_already_the_others_are_refused(
    open_slow: Callable[..., SlowDesk],
) -> None:
    desk = open_slow()
    waiting = [threading.Thread(target=desk.need) for _ in range(2)]
    for thread in waiting:
        thread.start()
    wait_until(lambda: desk._may_wait._value == 0)
    with pytest.raises(StillReadingError, match="still being read: reading 0 pictures"):
        desk.need()
    assert desk.post("undo")["status"] == 503
    desk.goes_on.set()
    for thread in waiting:
        thread.join(10.0)
    assert desk.need() is desk.review


def test_when_all_of_some_are_decided_about_the_next_ones_follow(
    open_slow: Callable[..., SlowDesk],
) -> None:
    desk = open_slow(MANY, most=5)
    desk.goes_on.set()
    done = []
    while desk.wait_until_ready(patience(10.0)) and (ids := ids_of(desk.review)):
        assert desk.get("/state")["total"] == 12
        assert desk.get("/state")["left"] == 12 - sum(done)
        done.append(desk.post("relabel", ids=ids, label="cat")["change"]["count"])
        wait_until(lambda: desk.review.has_groups or desk.review.left == 0)
    assert done == [5, 5, 2]
    assert desk.collection.counts == {"cat": 12}


def test_what_comes_back_from_earlier_ones_is_shown_again(
    open_slow: Callable[..., SlowDesk],
) -> None:
    desk = open_slow(MANY, most=6)
    desk.goes_on.set()
    for _ in range(2):
        wait_until(lambda: desk.review.has_groups)
        desk.post("reject", ids=ids_of(desk.review))
    wait_until(lambda: desk.review.left == 0)
    for _ in range(2):
        desk.post("undo")
    wait_until(lambda: desk.review.has_groups)
    seen = set()
    while desk.review.left:
        wait_until(lambda: desk.review.has_groups)
        ids = ids_of(desk.review)
        seen |= {desk.review.find(identifier).name for identifier in ids}
        desk.post("reject", ids=ids)
    assert len(seen) == 12
    assert desk.get("/state")["total"] == 12


@pytest.mark.fault(104)
def test_a_picture_that_is_read_slowly_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = record(tmp_path / "seen", SHOWN)
    answer = threading.Event()

    def read(root: Path, name: str) -> bytes:
        if name == names[0]:
            answer.wait(60)
        return read_picture(root, name)

    monkeypatch.setattr("edgecls.review.look.read_picture", read)
    monkeypatch.setattr("edgecls.review.desk.Gallery", _hasty)
    told: list[str] = []
    collection = Collection(tmp_path / "into", quota_bytes=0, min_free_bytes=0)
    opened = open_folder(tmp_path / "seen")
    desk = Desk(opened, Review(opened.root, (), collection), tell=told.append)
    desk.start()
    assert desk.wait_until_ready(patience(20.0))
    answer.set()
    assert desk.review.left == 3
    assert told == [f"left out: {names[0]}: it takes too long to be read or decoded"]
    desk.close()
    desk.review.close()
    collection.close()


def _hasty(read: Callable[..., bytes]) -> Any:
    from edgecls.collect.gallery import Gallery

    return Gallery(read, limit_s=0.5)


@pytest.mark.fault(99)
def test_a_page_that_comes_early_waits_and_shows_the_first_group(
    open_slow: Callable[..., SlowDesk], page: Page
) -> None:
    desk = open_slow()
    page.goto(desk.server.urls[0])
    page.get_by_text("Reading the folder: 0.").wait_for()
    assert not page.get_by_text("All pictures are decided about").is_visible()
    desk.goes_on.set()
    page.get_by_text("Group 1 of").wait_for()
    assert not page.locator("#reading").is_visible()


def test_a_page_goes_on_with_the_next_ones(open_slow: Callable[..., SlowDesk], page: Page) -> None:
    desk = open_slow(MANY, most=6)
    desk.goes_on.set()
    page.goto(desk.server.urls[0])
    page.get_by_text("Group 1 of").wait_for()
    for done in range(12):
        page.get_by_text(f"{done} of 12 decided").wait_for()
        page.locator("#main[aria-busy='false'] #group").wait_for(state="visible")
        page.keyboard.press("x")
    page.get_by_text("All pictures are decided about").wait_for()


@pytest.mark.fault(99)
def test_a_hundred_thousand_pictures_are_listed_and_their_log_is_read(tmp_path: Path) -> None:
    root = tmp_path / "seen"
    (root / "cat").mkdir(parents=True)
    first = root / "cat" / "first.jpg"
    with (root / "records.jsonl").open("w") as log:
        for number in range(100_000):
            name = f"cat/{number:09}-20261129T053558Z.jpg"
            if number % 20_000 == 0:  # a file may have 65,000 names
                first = root / name
                first.write_bytes(jpeg_of(1))
            else:
                os.link(first, root / name)
            score = 0.5 + number / 1e6
            log.write(f'{{"file": "{name}", "time": {number}, "label": "cat", "score": {score}}}\n')
    began = time.monotonic()
    opened = open_folder(root)
    assert time.monotonic() - began < patience(1.0)
    steps: list[tuple[int, int | None]] = []
    found = read_folder(opened, lambda done, of: steps.append((done, of)))
    assert len(found.names) == len(found.guesses) == 100_000
    assert steps[-1] == (100_000, 100_000)
    assert found.least_certain(2).names == found.names[:2]
