"""A real small disk that is full, or read-only, under each sink that writes files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from edgecls.sinks import Sink
from edgecls.sinks.csv import CsvSink
from edgecls.sinks.jsonl import open_jsonl
from edgecls.sinks.record import RecordSettings, RecordSink
from tests.support.broker import wait_until
from tests.support.frames import frame, prediction

Tell = Callable[[str], None]
WRITERS: Final[dict[str, Callable[[Path, Tell], Sink]]] = {
    "jsonl": lambda disk, tell: open_jsonl(disk / "events.jsonl", tell),
    "csv": lambda disk, tell: CsvSink(disk / "events.csv", tell),
    "record": lambda disk, tell: RecordSink(
        disk / "records", RecordSettings("all", min_free_bytes=0), tell
    ),
}

# Lines after one frame: a table has a header.
WRITTEN: Final = {"jsonl": {"events.jsonl": 1}, "csv": {"events.csv": 2}, "record": {}}


class SmallDisk:
    """64 kB of memory, mounted as a disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remount(self, mode: str) -> None:
        """Make it `ro` or `rw`."""
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.path)], check=True)

    def fill(self) -> None:
        """Leave no room."""
        with (self.path / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 4096) == 4096:
                    pass
            except OSError:
                return

    def free(self) -> None:
        """Make room again."""
        (self.path / "filler").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here: only root may")
    yield SmallDisk(path)
    subprocess.run(["umount", "-l", str(path)], check=False)


@pytest.mark.fault(68)
@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_told_once_and_waited_for(kind: str, disk: SmallDisk) -> None:
    told: list[str] = []
    sink = WRITERS[kind](disk.path, told.append)
    sink.handle(prediction(0), frame(0))
    disk.fill()
    # A page that is begun already still takes some lines.
    for number in range(1, 200):
        sink.handle(prediction(number), frame(number))
    missed = sink.counts["errors"]
    assert missed > 0
    assert len(told) == 1
    assert "No space left on device; classifying goes on without it" in told[0]
    disk.free()

    def works_again() -> bool:
        sink.handle(prediction(100), frame(100))
        return len(told) == 2

    wait_until(works_again, "it is written again")
    assert "works again" in told[1]
    sink.close()
    for path in disk.path.glob("events.*"):
        assert path.read_bytes().endswith(b"\n")


@pytest.mark.fault(70)
@pytest.mark.parametrize("kind", WRITERS)
def test_a_read_only_disk_is_an_error_at_the_start(kind: str, disk: SmallDisk) -> None:
    disk.remount("ro")
    with pytest.raises(OSError, match="Read-only file system"):
        WRITERS[kind](disk.path, lambda _: None)
    disk.remount("rw")


@pytest.mark.fault(108)
@pytest.mark.parametrize("kind", WRITERS)
def test_a_disk_that_is_full_at_the_start_is_waited_for(kind: str, disk: SmallDisk) -> None:
    disk.fill()
    told: list[str] = []
    sink = WRITERS[kind](disk.path, told.append)
    for number in range(3):
        sink.handle(prediction(number), frame(number))
    assert sink.counts["errors"] == 3
    assert len(told) == 1
    assert "No space left on device; classifying goes on without it" in told[0]
    disk.free()

    def works_again() -> bool:
        sink.handle(prediction(100), frame(100))
        return len(told) == 2

    wait_until(works_again, "it is written at last")
    sink.close()
    assert [len(path.read_bytes().splitlines()) for path in disk.path.glob("events.csv")] in (
        [],
        [2],
    )
    assert len(list(disk.path.rglob("*.jpg"))) == (kind == "record")
