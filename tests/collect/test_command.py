"""`edgecls collect` as a process: killed, interrupted, refused."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from edgecls.collect.collection import Collection
from edgecls.imaging.decode import decode
from tests.collect.conftest import post
from tests.support.patience import patience

LABELS: Final = "cat,dog"
SOURCE: Final = "fake:digits?loop=1&jpeg=1"


@contextlib.contextmanager
def collecting(
    folder: Path, *more: str, source: str = SOURCE
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the address of its page."""
    command = [sys.executable, "-m", "edgecls", "collect", "--labels", LABELS, "--source", source,
               "--listen", "127.0.0.1:0", str(folder), *more]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            found = re.fullmatch(r"collect: (http://\S+/)\n", process.stderr.readline())
            assert found is not None
            yield process, found[1]
        finally:
            process.kill()


def press(url: str, label: str) -> dict[str, object]:
    """A press; the first may come before the first frame."""
    end = time.monotonic() + patience(5.0)
    while (reply := post(url, "press", label=label)).get("status") == 503:
        assert time.monotonic() < end
    return reply


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgecls", "collect", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_ctrl_c_ends_it_with_a_summary(tmp_path: Path) -> None:
    with collecting(tmp_path / "pictures", "--json") as (process, url):
        name = press(url, "cat")["name"]
        press(url, "dog")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=patience(5.0))
    assert process.returncode == 130
    summary = json.loads(out)
    assert summary["event"] == "summary"
    assert summary["labels"] == {"cat": 1, "dog": 1}
    assert (summary["pictures"], summary["kept"], summary["alike"]) == (2, 2, 0)
    assert decode((tmp_path / "pictures" / str(name)).read_bytes()).shape == (480, 640, 3)


@pytest.mark.fault(77)
def test_sigterm_ends_it_as_a_service_should(tmp_path: Path) -> None:
    with collecting(tmp_path / "pictures") as (process, url):
        press(url, "cat")
        process.terminate()
        out, _ = process.communicate(timeout=patience(2.0))
    assert process.returncode == 0
    assert out.splitlines() == [
        f"{tmp_path / 'pictures'}: cat 1, dog 0",
        "kept 1, left out 0 that looked alike, deleted 0, relabelled 0",
    ]


@pytest.mark.fault(65)
@pytest.mark.parametrize("after_s", [0.05, 0.2, 0.5])
def test_kill_9_loses_nothing_that_the_page_was_told(tmp_path: Path, after_s: float) -> None:
    told: list[str] = []

    def work(url: str, label: str) -> None:
        # A connection that breaks while it is being answered has acknowledged nothing.
        with contextlib.suppress(OSError, urllib.error.URLError, ValueError):
            burst = ""
            while True:
                reply = post(url, "hold", label=label, burst=burst)
                burst = str(reply["burst"])
                if reply["kept"]:
                    told.append(str(reply["name"]))

    with collecting(tmp_path / "pictures") as (process, url):
        told.append(str(press(url, "cat")["name"]))
        hands = [threading.Thread(target=work, args=(url, label)) for label in ("cat", "dog") * 2]
        for hand in hands:
            hand.start()
        time.sleep(after_s)
        process.kill()
        for hand in hands:
            hand.join(patience(5.0))
    Collection(tmp_path / "pictures").close()  # as the next start would
    files = {
        str(file.relative_to(tmp_path / "pictures")): file.read_bytes()
        for label in ("cat", "dog")
        for file in (tmp_path / "pictures" / label).glob("*")
    }
    assert [name for name in told if name not in files] == []
    assert [name for name, content in files.items() if decode(content).size == 0] == []
    lines = (tmp_path / "pictures" / "records.jsonl").read_text().splitlines()
    logged = [json.loads(line)["file"] for line in lines]
    assert [name for name in told if name not in logged] == []
    assert len(told) >= 1


def test_a_second_one_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with collecting(tmp_path / "pictures"):
        second = run("--labels", "cat", "--source", SOURCE, "--listen", "127.0.0.1:0",
                     tmp_path / "pictures")  # fmt: skip
    assert second.returncode == 1
    assert "error: another edgecls records into" in second.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(["--labels", "a/b"], "the label 'a/b' holds a '/'", id="a label with a slash"),
        pytest.param(["--labels", "cat,Cat"], "differs from the label", id="labels nearly equal"),
        pytest.param(["--source", "nothing"], "there is no source 'nothing'", id="no such source"),
        pytest.param(["--source", "fake:digits", "--quota", "much"], "is not a size", id="no size"),
        pytest.param(["--listen", "nowhere"], "is no address", id="no address"),
        pytest.param(["--rotate", "45"], "wanted 0, 90, 180 or 270", id="turned by half"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_exit_1(
    tmp_path: Path, arguments: list[str], problem: str
) -> None:
    ended = run("--source", "fake:digits", *arguments, tmp_path / "pictures")
    assert ended.returncode == 1
    assert problem in ended.stderr
    assert not (tmp_path / "pictures").exists()
    assert "Traceback" not in ended.stderr


def test_a_recording_that_ends_goes_on_being_served(tmp_path: Path) -> None:
    with collecting(tmp_path / "pictures", source="fake:digits?frames=3&fps=0") as (process, url):
        time.sleep(0.5)
        assert press(url, "cat")["kept"]
        assert process.poll() is None
