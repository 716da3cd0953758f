"""Large collections: what a press, an undo and a file of others cost does not grow with them."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecls.collect.catalog import Catalog
from edgecls.collect.collection import Collection
from edgecls.collect.disk import StillReadingError
from tests.collect.conftest import Served, wait_until
from tests.support.frames import NOON
from tests.support.patience import patience

FACTS = {"time": NOON}
# A file may have 65,000 names.
NAMES_OF_A_FILE = 20_000


def fill(root: Path, count: int, labels: tuple[str, ...] = ("cat", "dog")) -> None:
    """A collection of so many pictures, most of them the same file under another name."""
    for label in labels:
        (root / label).mkdir(parents=True)
    names = [f"{labels[n % len(labels)]}/{n:09}-20261129T053558Z.jpg" for n in range(1, count + 1)]
    for start in range(0, count, NAMES_OF_A_FILE):
        first, *others = names[start : start + NAMES_OF_A_FILE]
        (root / first).write_bytes(b"x")
        for name in others:
            os.link(root / first, root / name)
    with (root / "records.jsonl").open("w") as log:
        for number, name in enumerate(names):
            log.write(f'{{"file": "{name}", "bytes": 1, "time": 0, "burst": "b{number}"}}\n')


def calls_of(act: Callable[[], object]) -> int:
    """How many functions are called, ours and Python's own, until something is done."""
    count = 0

    def hear(_frame: object, event: str, _called: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(hear)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


def work_of_each_action(root: Path, count: int) -> dict[str, int]:
    """What each action costs in a collection of so many pictures."""
    fill(root, count)
    collection = Collection(root)
    oldest = collection.pictures("cat")[-1].id
    collection.keep("cat", b"0", FACTS)
    found = {
        "press": calls_of(lambda: collection.keep("cat", b"1", FACTS)),
        "undo": calls_of(collection.undo),
        "relabel": calls_of(lambda: collection.relabel([oldest], "dog")),
        "undo of relabelling": calls_of(collection.undo),
        "discard": calls_of(lambda: collection.discard([oldest])),
        "undo of discarding": calls_of(collection.undo),
        "state": calls_of(collection.overview),
        "a page of pictures": calls_of(lambda: collection.pictures("cat", 120, 60)),
        "a look at the folder": calls_of(collection.refresh),
    }
    collection.close()
    return found


@pytest.mark.fault(100)
def test_no_action_costs_more_in_a_large_collection(tmp_path: Path) -> None:
    small = work_of_each_action(tmp_path / "small", 200)
    large = work_of_each_action(tmp_path / "large", 5000)
    grown = {name: round(large[name] / small[name], 2) for name in small}
    assert max(grown.values()) < 1.2, grown


@pytest.mark.fault(100)
def test_a_file_of_others_costs_one_listing_of_its_folder(tmp_path: Path) -> None:
    fill(tmp_path, 300, ("cat", "dog", "fox"))
    catalog = Catalog(tmp_path, threading.RLock())
    catalog.read(lambda: False)
    before = catalog.listings
    (tmp_path / "cat" / "mine.jpg").write_bytes(b"mine")
    assert catalog.refresh()
    assert not catalog.refresh()
    assert catalog.listings == before + 1
    assert catalog.index.count("cat") == 101


@pytest.mark.fault(100)
def test_a_file_that_comes_together_with_a_press_is_found_all_the_same(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    collection = Collection(tmp_path)
    (tmp_path / "cat" / "mine.jpg").write_bytes(b"mine")
    collection.keep("cat", b"1", FACTS)  # the folder was changed by us, as far as its time says
    assert collection.count("cat") == 6
    wait_until(collection.refresh, 10.0)
    assert collection.count("cat") == 7
    collection.close()


@pytest.mark.parametrize("below", ["cat/2024", "cat/2024/May"])
def test_folders_in_folders_are_looked_after_too(tmp_path: Path, below: str) -> None:
    fill(tmp_path, 10)
    (tmp_path / below).mkdir(parents=True)
    catalog = Catalog(tmp_path, threading.RLock())
    catalog.read(lambda: False)
    (tmp_path / below / "mine.jpg").write_bytes(b"mine")
    wait_until(catalog.refresh, 10.0)
    assert catalog.index.count("cat") == 6
    (tmp_path / below / "mine.jpg").unlink()
    wait_until(catalog.refresh, 10.0)
    assert catalog.index.count("cat") == 5


def test_a_folder_that_goes_takes_its_pictures_along(tmp_path: Path) -> None:
    fill(tmp_path, 20)
    catalog = Catalog(tmp_path, threading.RLock())
    catalog.read(lambda: False)
    (tmp_path / "dog").rename(tmp_path / ".dog")
    assert catalog.refresh()
    assert catalog.index.counts == {"cat": 10}


@pytest.mark.fault(98)
def test_a_folder_that_others_rename_is_a_label_however_many_there_are(tmp_path: Path) -> None:
    labels = tuple(f"{number:04}" for number in range(1000))
    fill(tmp_path, 1000, labels)
    collection = Collection(tmp_path)
    (tmp_path / "0007").rename(tmp_path / "seven")
    assert collection.refresh()
    counts = {entry.label: entry.count for entry in collection.overview()}
    assert (counts["seven"], counts["0007"]) == (1, 0)
    collection.close()


def test_a_file_that_is_written_anew_is_another_version(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    collection = Collection(tmp_path)
    picture = collection.pictures("cat")[0]
    before = picture.version
    (tmp_path / picture.name).unlink()
    (tmp_path / picture.name).write_bytes(b"another one")
    assert collection.find(picture.id).version != before
    assert [p.id for p in collection.pictures("cat")] == [picture.id]
    collection.close()


def test_pages_of_pictures_go_from_the_newest_to_the_oldest(tmp_path: Path) -> None:
    fill(tmp_path, 50, ("cat",))
    collection = Collection(tmp_path)
    names = [picture.name for picture in collection.pictures("cat")]
    pages = [collection.pictures("cat", 20, skip) for skip in (0, 20, 40, 60)]
    assert [picture.name for page in pages for picture in page] == names
    assert [len(page) for page in pages] == [20, 20, 10, 0]
    collection.close()


def test_the_bursts_of_an_earlier_run_are_known(tmp_path: Path) -> None:
    fill(tmp_path, 6)
    (tmp_path / "cat" / "000000002-20261129T053558Z.jpg").rename(
        tmp_path / "dog" / "000000002-20261129T053558Z.jpg"
    )
    collection = Collection(tmp_path)
    pictures = [*collection.pictures("cat"), *collection.pictures("dog")]
    bursts = {picture.file_name[:9]: picture.burst for picture in pictures}
    assert bursts == {f"{number:09}": f"b{number - 1}" for number in range(1, 7)}
    collection.close()


class OnASlowDisk(Collection):
    """A collection whose folder is read when a test says so."""

    goes_on: threading.Event

    def _read(self) -> None:
        self.goes_on.wait(patience(10.0))
        super()._read()


class TestReading:
    @pytest.fixture
    def slow(self, tmp_path: Path) -> OnASlowDisk:
        fill(tmp_path, 10)
        OnASlowDisk.goes_on = threading.Event()
        return OnASlowDisk(tmp_path, is_read_later=True)

    @pytest.mark.fault(99)
    def test_what_needs_all_of_it_waits_and_is_done(self, slow: OnASlowDisk) -> None:
        kept: list[str] = []
        press = threading.Thread(target=lambda: kept.append(slow.keep("cat", b"1", FACTS).name))
        press.start()
        assert slow.pictures("cat") == []
        assert not slow.reading.is_over
        slow.goes_on.set()
        press.join(10.0)
        assert [name.partition("-")[0] for name in kept] == ["cat/000000011"]
        slow.close()

    @pytest.mark.fault(99)
    def test_when_some_wait_already_the_others_are_refused(self, slow: OnASlowDisk) -> None:
        waiting = [threading.Thread(target=slow.undo) for _ in range(2)]
        for thread in waiting:
            thread.start()
        wait_until(lambda: not slow._may_wait.acquire(blocking=False) or slow._may_wait.release())
        with pytest.raises(StillReadingError, match="still being read: 0 pictures"):
            slow.keep("cat", b"1", FACTS)
        slow.goes_on.set()
        for thread in waiting:
            thread.join(10.0)
        assert slow.wait_until_read(10.0)
        slow.close()

    def test_a_folder_that_vanishes_meanwhile_is_told(self, slow: OnASlowDisk) -> None:
        slow.folder.rename(slow.folder.with_name("elsewhere"))
        slow.goes_on.set()
        assert not slow.wait_until_read(10.0)
        assert "cannot be read" in str(slow.failure)
        slow.close()


def events_of(served: Served, act: Callable[[], object], until: str) -> list[tuple[str, Any]]:
    """What a page is told, from its beginning until something stands in an event."""
    found = []
    with urllib.request.urlopen(served.url + "events", timeout=patience(10.0)) as events:
        while True:
            line = events.readline().decode().strip()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
                value = json.loads(events.readline().decode().removeprefix("data: "))
                found.append((name, value))
                if len(found) == 1:
                    act()
                elif until in json.dumps(value):
                    return found


class TestManyLabels:
    @pytest.fixture
    def served(self, serve: Callable[..., Served]) -> Served:
        """A thousand labels, as long as they may be."""
        return serve(*(f"{number:04} " + "漢" * 60 for number in range(1000)))

    @pytest.mark.fault(101)
    def test_a_press_tells_what_has_changed_and_no_more(self, served: Served) -> None:
        state = served.get("state")
        label = state["labels"][500]["label"]
        told = events_of(served, lambda: served.post("press", label=label), '"count": 1')
        assert told[0] == ("stale", {"number": told[0][1]["number"]})
        name, change = told[-1]
        assert name == "change"
        assert [entry["label"] for entry in change["labels"]] == [label]
        assert len(json.dumps(change)) < 4000

    @pytest.mark.fault(101)
    def test_all_of_it_is_there_for_who_asks(self, served: Served) -> None:
        state = served.get("state")
        assert len(state["labels"]) == 1000
        assert state["number"] >= 1

    @pytest.mark.fault(101)
    def test_hints_are_bounded(self, served: Served) -> None:
        wait_until(lambda: served.get("state")["hints"] != [], 20.0)
        state = served.get("state")
        assert len(state["hints"]) <= 20
        assert len(json.dumps(state["hints"])) < 20_000


@pytest.mark.fault(101)
def test_changes_add_up_to_the_state(serve: Callable[..., Served]) -> None:
    served = serve("cat", "dog")

    def work() -> None:
        served.post("press", label="cat")
        served.post("add-label", label="fox")
        served.post("press", label="fox")
        served.post("undo")
        served.post("remove-label", label="dog")
        served.post("add-label", label="end")

    told = events_of(served, work, '"end"')
    state = told[0][1]
    for name, change in told[1:]:
        assert (name, change["from"]) == ("change", state["number"])
        entries = {entry["label"]: entry for entry in state["labels"]}
        entries |= {entry["label"]: entry for entry in change.get("labels", ())}
        order = change.get("order", list(entries))
        state |= change["set"] | {"labels": [entries[label] for label in order]}
        state["number"] = change["number"]
    whole = served.get("state")
    assert [(e["label"], e["count"], e["key"]) for e in state["labels"]] == [
        ("cat", 1, "1"),
        ("fox", 0, "2"),
        ("end", 0, "3"),
    ]
    assert whole["labels"] == state["labels"]


@pytest.mark.fault(99)
@pytest.mark.fault(100)
def test_a_hundred_thousand_pictures(tmp_path: Path, serve: Callable[..., Served]) -> None:
    fill(tmp_path / "pictures", 100_000)
    began = time.monotonic()
    served = serve(is_read_later=True)
    reading = served.get("state")["reading"]
    assert time.monotonic() - began < patience(2.0)
    assert reading is None or reading["read"] <= 100_000
    assert served.post("press", label="cat")["name"].startswith("cat/000100001-")
    assert served.get("state")["reading"] is None
    assert sum(entry["count"] for entry in served.get("state")["labels"]) == 100_001
    times = []
    for _ in range(5):
        for act in (lambda: served.post("press", label="cat"), lambda: served.post("undo")):
            start = time.monotonic()
            act()
            times.append(time.monotonic() - start)
    assert sorted(times)[len(times) // 2] < patience(0.1)
    (tmp_path / "pictures" / "dog" / "mine.jpg").write_bytes(b"mine")
    wait_until(lambda: served.collection.count("dog") == 50_001, 20.0)
