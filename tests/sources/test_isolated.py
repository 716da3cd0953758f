"""A source in a process of its own: the same frames and errors, and it can always be ended."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edgecls.errors import NoSuchSourceError, NotInstalledError, PictureError, SourceError
from edgecls.sources import CapturedFrame, Source, SourceWishes, open_source
from edgecls.sources.fake import open_source as open_fake
from edgecls.sources.isolated import IsolatedSource
from tests.support.patience import patience
from tests.support.rtsp_server import RtspServer


def isolated(text: str, **wishes: float) -> IsolatedSource:
    return IsolatedSource("fake", text, SourceWishes(**wishes))  # type: ignore[arg-type]


def read(source: Source) -> CapturedFrame:
    frame = source.read()
    assert frame is not None
    return frame


def read_all(source: Source) -> None:
    """Read until it ends."""
    while source.read() is not None:
        pass


@pytest.mark.parametrize("more", ["", "&jpeg=1", "&resize=2:320x240"], ids=["pixels", "JPEG", "2"])
def test_frames_are_those_that_the_source_gives(more: str) -> None:
    text = f"fake:digits?fps=0&frames=4{more}"
    with isolated(text) as source, open_fake(text) as here:
        for _ in range(4):
            frame, same = read(source), read(here)
            assert (frame.index, frame.media_s) == (same.index, same.media_s)
            assert (frame.truth, frame.jpeg) == (same.truth, same.jpeg)
            assert (frame.pixels is None) == (same.pixels is None)
            if frame.pixels is not None:
                np.testing.assert_array_equal(frame.pixels, same.pixels)
        assert source.read() is None


def test_a_frame_is_a_copy_that_the_next_one_leaves_alone() -> None:
    with isolated("fake:colors?fps=0") as source:
        black, red = read(source), read(source)
    assert black.pixels is not None
    assert red.pixels is not None
    assert (black.pixels.max(), red.pixels[0, 0].tolist()) == (0, [255, 0, 0])
    red.pixels[:] = 7  # and it can be written to


def test_times_are_those_of_this_process() -> None:
    with isolated("fake:colors?fps=100") as source:
        for _ in range(3):
            frame = read(source)
    assert 0 <= time.monotonic() - frame.captured_s < patience(1.0)


def test_what_the_source_says_of_itself_is_passed_on() -> None:
    with isolated("fake:colors?fps=20") as source:
        assert (source.name, source.is_live) == ("fake:colors?fps=20", True)
        assert (source.is_sequence, source.rate, source.warnings) == (True, 20.0, ())


def test_a_frame_that_cannot_be_decoded_is_an_error_of_that_frame() -> None:
    with isolated("fake:colors?fps=0&corrupt=1") as source:
        read(source)
        with pytest.raises(PictureError, match="frame 1 is corrupt"):
            source.read()
        assert read(source).index == 2


def test_an_error_of_the_source_is_raised_as_it_is() -> None:
    with pytest.raises(NoSuchSourceError, match="has the unknown option 'x'") as refused:
        isolated("fake:colors?x=1")
    assert refused.value.hint.startswith("known: fps")
    with isolated("fake:colors?fps=0&close=1") as source:
        read(source)
        with pytest.raises(SourceError, match="it hung up, as it was told to"):
            source.read()


def test_what_is_not_installed_is_told_as_such() -> None:
    with pytest.raises(NotInstalledError, match="Pi cameras need picamera2"):
        open_source("picamera:0")


@pytest.mark.fault(45)
def test_a_call_that_never_returns_is_ended_in_time() -> None:
    source = isolated("fake:colors?fps=100&hang=2", timeout_s=1.0)
    read(source), read(source)
    before = time.monotonic()
    with pytest.raises(SourceError, match=r"hangs \(no answer in 0\.6 s\)"):
        source.read()
    assert time.monotonic() - before < patience(1.0)
    assert not os.path.exists(f"/proc/{source.child}")


def test_a_source_that_is_silent_says_so_itself_before_it_is_ended() -> None:
    with RtspServer(frames=3) as server:
        source = open_source(server.url(), SourceWishes(timeout_s=2.0))
        with source, pytest.raises(SourceError, match=r"sent nothing for 1\.08 s"):
            read_all(source)


@pytest.mark.parametrize(
    ("number", "what"),
    [(signal.SIGKILL, "was killed (SIGKILL)"), (signal.SIGSEGV, "crashed (SIGSEGV)")],
    ids=["killed", "crashed"],
)
@pytest.mark.fault(59)
def test_the_end_of_its_process_is_an_error_that_opening_cures(number: int, what: str) -> None:
    with isolated("fake:colors?fps=100") as source:
        read(source)
        os.kill(source.child, number)
        with pytest.raises(SourceError) as lost:
            read_all(source)
    assert what in lost.value.problem
    assert "started again" in lost.value.hint


def test_it_can_be_closed_while_another_thread_reads() -> None:
    source = isolated("fake:colors?fps=100&hang=2", timeout_s=60.0)
    read(source), read(source)
    threading.Timer(0.2, source.close).start()
    before = time.monotonic()
    with pytest.raises(SourceError, match="was killed"):
        source.read()
    assert time.monotonic() - before < patience(2.0)
    source.close()


def test_the_process_of_a_source_that_was_lost_opens_it_again() -> None:
    text = "fake:colors?fps=0&close=1"
    children = []
    for _ in range(12):
        with isolated(text) as source:
            read(source)
            children.append(source.child)
            with pytest.raises(SourceError, match="it hung up"):
                source.read()
            with pytest.raises(SourceError, match="it was closed"):
                source.read()
    first, second = children[0], children[-1]
    assert children == [first] * 10 + [second] * 2  # what failed ten times goes with its process
    assert not os.path.exists(f"/proc/{first}")
    with isolated("fake:colors?fps=0") as other:
        assert other.child != second
    assert not os.path.exists(f"/proc/{second}")


@pytest.mark.fault(61)
def test_a_password_stays_out_of_errors_and_arguments() -> None:
    with RtspServer() as server, open_source(server.url("me:hidden@")) as source:
        assert isinstance(source, IsolatedSource)
        assert b"hidden" not in Path(f"/proc/{source.child}/cmdline").read_bytes()
        assert "hidden" not in source.name
        os.kill(source.child, signal.SIGKILL)
        with pytest.raises(SourceError) as lost:
            read_all(source)
    assert "hidden" not in str(lost.value)


@pytest.mark.fault(59)
def test_nothing_is_left_of_it() -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    def shared() -> set[str]:
        return set(os.listdir("/dev/shm"))

    gc.collect()  # what other tests have left
    files, names = open_files(), shared()
    for _ in range(3):
        with isolated("fake:colors?fps=0") as source:
            read(source)
        assert not os.path.exists(f"/proc/{source.child}")
    assert open_files() <= files
    assert shared() == names


def test_its_process_ends_when_nobody_refers_to_it_any_more() -> None:
    source = isolated("fake:colors?fps=0")
    child = source.child
    del source
    end_s = time.monotonic() + patience(2.0)
    while _is_running(child) and time.monotonic() < end_s:
        time.sleep(0.01)
    assert not _is_running(child)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
