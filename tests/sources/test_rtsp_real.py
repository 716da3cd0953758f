"""RTSP with a real server, GStreamer's: what cameras do that a made-up one would not."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from edgecls.errors import SourceError
from edgecls.sources import Source, SourceWishes, open_source
from tests.support.patience import patience
from tests.support.real_rtsp import AUDIO, H264, RealRtspServer

PASSWORD = "pa:ss@w/ord"
LOGIN = f"viewer:{quote(PASSWORD, safe='')}@"
OFTEN = H264.format(keyframes=10)
RARE = H264.format(keyframes=60)  # one in 6 s
# As `x264enc` is by default: 40 frames, here 4 s, are read before the first is sent.
SLOW = RARE.replace("tune=zerolatency speed-preset=ultrafast", "bframes=0")
INTERLACED = (
    "videotestsrc is-live=true pattern=white ! video/x-raw,width=320,height=240,framerate=10/1"
    " ! interlace field-pattern=2:2 ! x264enc interlaced=true tune=zerolatency"
    " ! rtph264pay name=pay0 pt=96"
)
SHORT = SourceWishes(timeout_s=2.0)
PLAIN = """
import sys, time, cv2
started = time.monotonic()
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
assert capture.read()[0]
print(time.monotonic() - started)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RealRtspServer]:
    with RealRtspServer(
        often={"launch": OFTEN},
        rare={"launch": RARE, "watched": True},
        slow={"launch": SLOW, "watched": True},
        udp={"launch": OFTEN, "udp": True},
        sound={"launch": AUDIO.format(number=0)},
        both={"launch": f"{AUDIO.format(number=0)} {OFTEN.replace('pay0', 'pay1')}"},
        interlaced={"launch": INTERLACED},
    ) as started:
        yield started


def gray_of(source: Source) -> float:
    """The mean of the next frame, which is 166 where the camera's gray came through."""
    frame = source.read()
    assert frame is not None
    assert frame.pixels is not None
    return float(frame.pixels.mean())


@pytest.mark.fault(139)
@pytest.mark.slow
@pytest.mark.parametrize("path", ["rare", "slow"])
def test_the_first_frame_comes_no_later_than_with_opencv_alone(
    server: RealRtspServer, path: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PLAIN, server.url(path)], stdout=subprocess.PIPE, text=True
    ) as plain:
        started = time.monotonic()
        with open_source(server.url(path), SHORT) as source:
            source.read()
            seconds = time.monotonic() - started
        said, _ = plain.communicate()
    assert seconds <= float(said) + patience(1.0)


@pytest.mark.fault(139)
def test_a_stream_that_is_joined_between_two_keyframes_is_waited_for(
    server: RealRtspServer,
) -> None:
    # Packets come for up to 6 s without a picture; 1.08 s of silence would end it.
    with open_source(server.url("rare"), SHORT) as source:
        assert 150 < gray_of(source) < 190


@pytest.mark.fault(142)
def test_a_camera_without_tcp_is_read_by_udp(server: RealRtspServer) -> None:
    with open_source(server.url("udp")) as source:
        assert 150 < gray_of(source) < 190


def test_sound_beside_the_pictures_does_not_matter(server: RealRtspServer) -> None:
    with open_source(server.url("both")) as source:
        assert 150 < gray_of(source) < 190


@pytest.mark.fault(141)
@pytest.mark.parametrize(
    ("path", "problem"),
    [
        pytest.param("sound", "sends no video at this address, only audio (PCMA)", id="sound"),
        pytest.param("no-such-path", "no stream at this path (404 Not Found)", id="a wrong path"),
    ],
)
def test_it_is_told_that_it_has_only(server: RealRtspServer, path: str, problem: str) -> None:
    with pytest.raises(SourceError) as refused:
        open_source(server.url(path))
    assert problem in refused.value.problem


@pytest.mark.fault(143)
def test_an_interlaced_stream_is_told_and_never_shown_from_old_memory(
    server: RealRtspServer,
) -> None:
    with (
        open_source(server.url("interlaced")) as source,
        pytest.raises(SourceError, match="it is interlaced") as refused,
    ):
        source.read()
    assert "progressive" in refused.value.hint


@pytest.mark.fault(141)
@pytest.mark.parametrize("is_digest", [False, True], ids=["basic", "digest"])
def test_a_password_with_odd_letters_opens_it_and_a_wrong_one_is_told(is_digest: bool) -> None:
    about = {"launch": OFTEN, "login": ["viewer", PASSWORD], "digest": is_digest}
    with RealRtspServer(live=about) as server:
        with open_source(server.url("live", LOGIN)) as source:
            assert 150 < gray_of(source) < 190
        with pytest.raises(SourceError, match="refuses this user and password"):
            open_source(server.url("live", "viewer:wrong@"))
        with pytest.raises(SourceError, match=r"wants a user and a password \(401\)"):
            open_source(server.url("live"))
