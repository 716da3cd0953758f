"""RTSP through FFmpeg: what a camera's stream becomes, and how soon a loss is noticed."""

from __future__ import annotations

import base64
import os
import time

import pytest

from edgecls.errors import SourceError
from edgecls.sources import Source, SourceWishes, open_source
from edgecls.sources.ffmpeg import ffmpeg_options
from tests.support.patience import patience
from tests.support.rtsp_server import SIZE, RtspServer

SOON = SourceWishes(timeout_s=1.0)
BASIC = "Basic " + base64.b64encode(b"me:p@ss").decode()
LOCKED = 'RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'


def answered(status: str, body: str = "", *fields: str) -> str:
    """An answer to a request, whose number is put in later."""
    head = [f"RTSP/1.0 {status}", "CSeq: {cseq}", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", body])


def moved(url: str) -> str:
    """A redirect."""
    return answered("302 Found", "", f"Location: {url}")


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
    assert "the stream ended, or sent nothing for 0.54 s" in lost.problem
    assert seconds < patience(1.0)


@pytest.mark.fault(44)
@pytest.mark.fault(141)
def test_a_camera_that_says_nothing_is_given_up() -> None:
    with RtspServer(is_mute=True) as server:
        started = time.monotonic()
        with pytest.raises(SourceError, match="the camera does not answer within"):
            open_source(server.url(), SOON)
        assert time.monotonic() - started < patience(2.0)


@pytest.mark.fault(61)
def test_a_password_is_sent_and_not_shown() -> None:
    with RtspServer(login=BASIC) as server:
        with open_source(server.url("me:p%40ss@")) as source:
            assert source.read() is not None
            assert source.name == server.url()
        with pytest.raises(SourceError) as refused:
            open_source(server.url("me:hidden@"))
    assert "hidden" not in str(refused.value)
    assert "refuses this user and password (401 Unauthorized)" in refused.value.problem


@pytest.mark.fault(141)
class TestWhyThereIsNoPicture:
    """FFmpeg says of all of these that there is none."""

    @pytest.mark.parametrize(
        ("answer", "problem", "hint"),
        [
            pytest.param(LOCKED, "wants a user and a password (401)", "EDGECLS_SOURCE_", id="401"),
            pytest.param(answered("403 Forbidden"), "answers 403 Forbidden", "", id="403"),
            pytest.param(
                answered("404 Not Found"),
                "has no stream at this path (404 Not Found)",
                "/Streaming/Channels/102 (Hikvision)",
                id="404",
            ),
            pytest.param(
                answered("503 Service Unavailable"), "is busy (503", "few viewers", id="503"
            ),
            pytest.param(
                answered("200 OK", "v=0\r\nm=audio 0 RTP/AVP 8\r\n"),
                "sends no video at this address, only audio (PCMA)",
                "its video stream",
                id="sound alone",
            ),
            pytest.param(
                "HTTP/1.1 400 Bad Request\r\n\r\n", "does not answer in RTSP", "http://", id="HTTP"
            ),
            pytest.param(
                moved("rtsp://[::1/"), "cannot be read", "where it ends", id="half a host"
            ),
            pytest.param(moved("http://x/"), "wanted rtsp or rtsps", "", id="a page"),
        ],
    )
    def test_is_told(self, answer: str, problem: str, hint: str) -> None:
        with (
            RtspServer(answers={"OPTIONS": answer, "DESCRIBE": answer}) as server,
            pytest.raises(SourceError) as refused,
        ):
            open_source(server.url())
        assert problem in refused.value.problem
        assert hint in refused.value.hint

    def test_a_codec_that_nobody_knows_is_told(self) -> None:
        sdp = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 NOSUCH/90000\r\na=control:track1\r\n"
        answers = {"DESCRIBE": answered("200 OK", sdp, "Content-Type: application/sdp")}
        with (
            RtspServer(answers=answers, frames=20, hangs_up=True) as server,
            pytest.raises(
                SourceError, match=r"promises video \(NOSUCH\), but no picture"
            ) as refused,
        ):
            open_source(server.url())
        assert "H.264 works" in refused.value.hint

    def test_a_port_where_nobody_listens_is_told(self) -> None:
        with RtspServer() as gone:
            url = gone.url()
        with pytest.raises(SourceError, match="Connection refused") as refused:
            open_source(url)
        assert "its RTSP port? most have 554" in refused.value.hint

    def test_a_name_that_nobody_knows_is_told(self) -> None:
        with pytest.raises(SourceError, match=r"the name 'no-such-camera\.invalid' is not known"):
            open_source("rtsp://no-such-camera.invalid/")

    def test_a_circle_of_redirects_ends(self) -> None:
        with RtspServer() as server:
            server.send_on_from("/live", "/live")
            with pytest.raises(SourceError, match="sends us on more than 5 times"):
                open_source(server.url("me:x@"))


@pytest.mark.fault(140)
@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE"])
def test_another_port_of_the_same_host_is_not_told_the_password(method: str) -> None:
    with RtspServer(login=BASIC) as other:
        with (
            RtspServer(answers={method: moved(other.url())}) as server,
            pytest.raises(SourceError, match="not told those of another host or port"),
        ):
            open_source(server.url("me:p%40ss@"))
        assert "Authorization" not in "".join(other.requests)


@pytest.mark.fault(140)
def test_a_redirect_to_the_same_camera_is_followed_with_the_password() -> None:
    with RtspServer(login=BASIC) as server:
        server.send_on_from("/live", "/main")
        with open_source(server.url("me:p%40ss@")) as source:
            assert source.read() is not None


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
