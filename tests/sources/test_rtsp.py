"""RTSP through FFmpeg: what a camera's stream becomes, and how soon a loss is noticed."""

from __future__ import annotations

import base64
import os
import time

import pytest

from edgecls.errors import SourceError
from edgecls.sources import Source, SourceWishes
from edgecls.sources.ffmpeg import ffmpeg_options
from edgecls.sources.rtsp import open_source
from tests.support.patience import patience
from tests.support.rtsp_server import SIZE, RtspServer

SOON = SourceWishes(timeout_s=1.0)


def read_until_lost(source: Source) -> tuple[SourceError, float]:
    """What is said when the source is lost, and how long that last read took, in seconds."""
    while True:
        before = time.monotonic()
        try:
            source.read()
        except SourceError as lost:
            return lost, time.monotonic() - before


def test_frames_of_a_camera_are_rgb_and_numbered() -> None:
    with RtspServer((255, 0, 0)) as server, open_source(server.url()) as source:
        frames = [source.read() for _ in range(3)]
    assert [frame.index for frame in frames if frame] == [0, 1, 2]
    (last,) = [frame.pixels for frame in frames[2:] if frame]
    assert last is not None
    assert last.shape == (*SIZE, 3)
    assert last.mean(axis=(0, 1)) == pytest.approx([255, 0, 0], abs=6)


@pytest.mark.parametrize("hangs_up", [False, True], ids=["falls silent", "hangs up"])
@pytest.mark.fault(45)
@pytest.mark.fault(47)
def test_a_camera_is_lost_in_time_when_it(hangs_up: bool) -> None:
    with (
        RtspServer(frames=40, hangs_up=hangs_up) as server,
        open_source(server.url(), SOON) as source,
    ):
        lost, seconds = read_until_lost(source)
    assert "the stream ended, or sent nothing for 0.6 s" in lost.problem
    assert seconds < patience(1.0)


@pytest.mark.fault(44)
def test_a_camera_that_says_nothing_is_given_up() -> None:
    with RtspServer(is_mute=True) as server:
        started = time.monotonic()
        with pytest.raises(SourceError, match="no picture"):
            open_source(server.url(), SOON)
        assert time.monotonic() - started < patience(2.0)


@pytest.mark.fault(61)
def test_a_password_is_sent_and_not_shown() -> None:
    login = "Basic " + base64.b64encode(b"me:p@ss").decode()
    with RtspServer(login=login) as server:
        with open_source(server.url("me:p%40ss@")) as source:
            assert source.read() is not None
            assert source.name == server.url()
        with pytest.raises(SourceError) as refused:
            open_source(server.url("me:hidden@"))
    assert "hidden" not in str(refused.value)
    assert "user and password" in refused.value.hint


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
    monkeypatch.delenv(name, raising=False)
    with ffmpeg_options("a;b"):
        assert os.environ[name] == "a;b"
    assert name not in os.environ
    monkeypatch.setenv(name, "rtsp_transport;udp")
    with ffmpeg_options("rtsp_transport;tcp"):
        # FFmpeg takes the last of two, so the user's own word counts.
        assert os.environ[name] == "rtsp_transport;tcp|rtsp_transport;udp"
    assert os.environ[name] == "rtsp_transport;udp"
