"""A child process that can be killed: how it ends is known, and it never outlives its parent."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecls.child import Child, ChildFailedError, open_memory
from tests.support.patience import patience

ROOT = Path(__file__).parent.parent
PARENT = """
import sys, time
from edgecls.child import Child
child = Child("tests.support.odd_child", {"does": sys.argv[1]})
child.receive(30)
print(child.pid, flush=True)
time.sleep(3600)
"""


@pytest.fixture(autouse=True)
def tests_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@contextlib.contextmanager
def odd_child(does: str) -> Iterator[Child]:
    """A child that has begun."""
    child = Child("tests.support.odd_child", {"does": does})
    try:
        child.receive(30)
        yield child
    finally:
        child.close()


def wait_for_end(pid: int) -> float:
    """Seconds until a process that is not ours is gone."""
    started = time.monotonic()
    while time.monotonic() - started < 20 and _is_running(pid):
        time.sleep(0.01)
    return time.monotonic() - started


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # a zombie waits for a parent that is slower than we are


def test_it_is_told_and_answers() -> None:
    with odd_child("echo") as child:
        child.tell({"a": [1, "ü"]})
        assert child.receive(10) == {"a": [1, "ü"]}


@pytest.mark.parametrize(
    ("does", "kind", "text"),
    [
        pytest.param("crash", "SIGSEGV", "xxx its last words", id="of a crash"),
        pytest.param("exit", "exit status 1", "nothing to do", id="of an early end"),
        pytest.param("nonsense", "nonsense", "its answer is none: b'\\xff no JSON'", id="nonsense"),
        pytest.param("fail", "ValueError", "\U0001f41e" * 5_000, id="in its own words"),
    ],
)
def test_its_end_is_told(does: str, kind: str, text: str) -> None:
    with odd_child(does) as child, pytest.raises(ChildFailedError) as failed:
        child.receive(30)
    assert failed.value.kind == kind
    assert failed.value.text.endswith(text)
    assert wait_for_end(child.pid) < patience(1)


@pytest.mark.parametrize("does", ["hang", "hang with Python's lock"])
@pytest.mark.fault(45)
@pytest.mark.fault(90)
def test_what_hangs_is_killed(does: str) -> None:
    with odd_child(does) as child:
        started = time.monotonic()
        with pytest.raises(ChildFailedError, match=r"hang no answer in 0\.2 s"):
            child.receive(0.2)
        assert time.monotonic() - started < patience(1)
        assert not _is_running(child.pid)


@pytest.mark.parametrize("does", ["hang", "hang with Python's lock", "echo"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "SIGTERM"])
@pytest.mark.fault(59)
@pytest.mark.fault(90)
def test_it_never_outlives_its_parent(does: str, number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, does], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _is_running(pid)
        parent.send_signal(number)
        parent.wait(10)
        assert wait_for_end(pid) < patience(1)


def test_it_outlives_the_thread_that_started_it() -> None:
    import threading

    made: list[Child] = []

    def make() -> None:
        made.append(Child("tests.support.odd_child", {"does": "echo"}))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    made[0].receive(30)
    made[0].tell({"still": "here"})
    assert made[0].receive(10) == {"still": "here"}
    made[0].close()


def test_its_memory_is_known() -> None:
    with odd_child("grow") as child:
        child.receive(30)
        assert 50 << 20 <= child.private_bytes < 100 << 20
    assert child.private_bytes == 0


@pytest.mark.fault(135)
def test_a_child_that_was_closed_does_not_run_however_long_it_takes_to_die(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgecls.child._END_LIMIT_S", 0.0)  # as long as giving back its memory
    with odd_child("grow") as child:
        child.receive(30)
        child.close()
        assert not child.is_running
        with pytest.raises(ChildFailedError):
            child.receive(30)


def test_its_job_is_not_among_its_arguments() -> None:
    with odd_child("echo") as child:
        assert b"echo" not in Path(f"/proc/{child.pid}/cmdline").read_bytes()


def test_nothing_stays_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with odd_child("echo"):
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_shared_memory_cannot_be_made_shorter() -> None:
    descriptor = open_memory("test", 4096)
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)
    with mmap.mmap(descriptor, 4096) as shared:
        shared[:2] = b"ok"
    os.close(descriptor)


@pytest.mark.skipif(not os.path.exists("/proc/self/oom_score_adj"), reason="this is no Linux")
def test_where_memory_runs_out_it_goes_before_its_parent() -> None:
    with odd_child("echo") as child:
        assert Path(f"/proc/{child.pid}/oom_score_adj").read_text() == "1000\n"
