"""Disks and readers that fail under a running camera: it says so, goes on, and takes up again."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.patience import patience
from tests.support.power import Disk

SHIM: Final = Path(__file__).parents[1] / "support/clock_shim.c"
SOURCE: Final = "fake:colors?fps=50&loop=1"


class Camera:
    """A camera loop in a process of its own that tells its events."""

    def __init__(self, model: Path, *more: object, **environment: str) -> None:
        command = [sys.executable, "-m", "edgecls", "camera", "--model", model]
        command += ["--source", SOURCE, "--json", *more]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        os.set_blocking(self.process.stderr.fileno(), False)
        self._out, self._err = self.process.stdout, self.process.stderr
        self.said = ""

    def see(self, frames: int = 1) -> dict[str, Any]:
        """Read until so many more frames were classified; gives the last of them."""
        event: dict[str, Any] = {}
        while frames:
            assert select.select([self._out], [], [], patience(20))[0], "the loop stands still"
            event = json.loads(self._out.readline())
            frames -= event["event"] == "prediction"
        return event

    def hear(self, words: str) -> str:
        """Wait for words on stderr, while frames are classified; gives all that was said."""
        end = time.monotonic() + patience(20)
        while words not in self.said:
            assert time.monotonic() < end, f"never said {words!r}: {self.said}"
            self.see(5)
            self.said += (self._err.read() or b"").decode()
        return self.said

    def stop(self, number: int = signal.SIGTERM) -> dict[str, Any]:
        """End it; gives the summary."""
        self.process.send_signal(number)
        lines = self._out.read().splitlines()
        self.process.wait(patience(10))
        summary: dict[str, Any] = json.loads(lines[-1])
        assert summary["event"] == "summary"
        return summary


@pytest.fixture
def watch(model: Path) -> Iterator[Callable[..., Camera]]:
    made: list[Camera] = []

    def watch_(*more: object, **environment: str) -> Camera:
        made.append(Camera(model, *more, **environment))
        return made[-1]

    yield watch_
    for camera in made:
        camera.process.kill()
        camera.process.communicate()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Two megabytes of memory, mounted as a disk."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here: only root may")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=False)


RECORD: Final = ("--record-when", "all", "--record-free", "0", "--record")


@pytest.mark.fault(68)
def test_recording_onto_a_full_disk_stops_and_resumes_while_the_loop_goes_on(
    watch: Callable[..., Camera], small_disk: Path
) -> None:
    camera = watch(*RECORD, small_disk / "records")
    camera.see(5)
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
    assert camera.hear("No space left on device").count("No space left") == 1
    (small_disk / "filler").unlink()
    camera.hear("works again")
    counts = sink_counts(camera.stop())
    assert counts["recorded"] > 0
    assert counts["errors"] > 0
    assert not list(small_disk.rglob("*.part"))


def sink_counts(summary: dict[str, Any]) -> dict[str, int]:
    """Of the sink that records."""
    (counts,) = (each for name, each in summary["sinks"].items() if name.startswith("record"))
    return dict(counts)


@pytest.mark.fault(70)
def test_a_disk_that_becomes_read_only_is_told_and_waited_for(
    watch: Callable[..., Camera], ext4_disk: Disk
) -> None:
    camera = watch(*RECORD, ext4_disk.path / "records")
    camera.see(5)
    ext4_disk.break_down()
    said = camera.hear("classifying goes on without it")
    # What was under way when the disk broke down is another error than what comes after it.
    assert "Read-only file system" in said or "Input/output error" in said
    with pytest.raises(OSError, match=r"Read-only file system|Input/output error"):
        (ext4_disk.path / "more").write_bytes(b"more")
    camera.see(20)
    assert sink_counts(camera.stop())["errors"] > 0


@pytest.mark.fault(70)
@pytest.mark.parametrize(
    "option", [("--jsonl",), ("--csv",), RECORD], ids=["jsonl", "csv", "record"]
)
def test_a_read_only_disk_is_an_error_at_the_start(
    watch: Callable[..., Camera], small_disk: Path, option: tuple[str, ...]
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    process = watch(*option, small_disk / "it").process
    _, said = process.communicate(timeout=patience(20))
    assert process.returncode == 1
    assert b"Read-only file system" in said.splitlines()[0]


@pytest.mark.fault(71)
def test_a_folder_that_is_deleted_is_told_and_found_again(
    watch: Callable[..., Camera], tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    camera = watch(*RECORD, folder)
    camera.see(5)
    folder.rename(tmp_path / "away")
    shutil.rmtree(tmp_path / "away")
    camera.hear("No such file or directory; classifying goes on without it")
    folder.mkdir()
    camera.hear("works again")
    camera.stop()
    assert list(folder.glob("*/*.jpg"))


@pytest.mark.fault(73)
def test_a_second_camera_that_records_into_the_same_folder_is_refused(
    watch: Callable[..., Camera], tmp_path: Path
) -> None:
    first = watch(*RECORD, tmp_path / "records")
    first.see(5)
    second = watch(*RECORD, tmp_path / "records").process
    _, said = second.communicate(timeout=patience(20))
    assert second.returncode == 1
    assert b"another edgecls records into" in said
    first.see(5)
    first.process.kill()  # and what it leaves behind locks nobody out
    first.process.wait()
    watch(*RECORD, tmp_path / "records").see(5)


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, which makes the clock that can be set: apt-get install gcc")
    library = tmp_path_factory.mktemp("shim") / "clock_shim.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    return library


@pytest.mark.fault(74)
@pytest.mark.parametrize("jump_s", [-86_400, 86_400], ids=["a day back", "a day on"])
def test_a_clock_that_jumps_changes_neither_rates_nor_names(
    watch: Callable[..., Camera], tmp_path: Path, shim: Path, jump_s: int
) -> None:
    jump = tmp_path / "jump"
    jump.write_bytes(struct.pack("q", 0))
    camera = watch(
        *RECORD, tmp_path / "records", LD_PRELOAD=str(shim), CLOCK_SHIM=str(jump)
    )  # fmt: skip
    before = camera.see(20)
    jump.write_bytes(struct.pack("q", jump_s))
    while abs(camera.see()["time"] - before["time"]) < 43_200:
        pass  # events of before the jump are still on their way
    camera.see(30)
    summary = camera.stop()
    assert 0 < summary["fps"] < 60
    assert summary["latency_ms"]["invoke"]["p99"] < 10_000
    names = [path.name for path in (tmp_path / "records").rglob("*.jpg")]
    assert len(names) == len(set(names)) >= sink_counts(summary)["recorded"] > 20
    lines = (tmp_path / "records/records.jsonl").read_text().splitlines()
    logged = [json.loads(line)["file"].rpartition("/")[2] for line in lines]
    assert logged == sorted(logged)


@pytest.mark.fault(76)
def test_a_reader_that_hangs_costs_no_memory_and_what_it_missed_is_counted(
    watch: Callable[..., Camera],
) -> None:
    camera = watch("--top-k", "10", "--source", SOURCE.replace("50", "1000"))
    camera.see(200)
    before = resident_kb(camera)
    time.sleep(3.0)  # ten thousand events, of which a pipe takes 64 kB
    assert resident_kb(camera) - before < 8_000
    summary = camera.stop()
    (counts,) = (each for each in summary["sinks"].values() if each.get("dropped"))
    assert counts["dropped"] > 0


def resident_kb(camera: Camera) -> int:
    """Memory of the process."""
    with open(f"/proc/{camera.process.pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
