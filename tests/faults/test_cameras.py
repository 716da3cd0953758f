"""Rows 42 to 64: `edgecls camera` as a process, on real sockets, real files and real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgecls.errors import SourceError
from edgecls.imaging.opencv import cv2
from edgecls.sources import Source, SourceWishes
from edgecls.sources.isolated import IsolatedSource
from tests.support.camera_process import CameraProcess, Ended
from tests.support.mjpeg_server import HEAD, Answer, MjpegServer, answer, part
from tests.support.mjpeg_server import then_silence as silence_after
from tests.support.patience import patience
from tests.support.rtsp_server import RtspServer
from tests.support.tiny_model import write_tiny_model

GRAY: Final = (166, 166, 166)
SOON: Final = ("--source-timeout", "1")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.tflite"
    write_tiny_model(path)
    return path


def noisy(level: int = 166, size: tuple[int, int] = (48, 64)) -> list[bytes]:
    """JPEGs of a still scene, as a sensor sees it: no two are the same."""
    random = np.random.default_rng(0)
    frames = random.integers(level - 3, level + 4, (16, *size, 3)).clip(0, 255).astype(np.uint8)
    return [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames]


def playing(
    pictures: list[bytes], fps: float = 50.0, count: int = 0, then: Answer | None = None
) -> Answer:
    """Pictures in turn; after so many of them what comes `then`, or the end."""

    def send(client: socket.socket, request: bytes) -> None:
        client.sendall(HEAD)
        number = 0
        while not count or number < count:
            client.sendall(part(pictures[number % len(pictures)]))
            number += 1
            time.sleep(1 / fps)
        if then is not None:
            then(client, request)

    return send


def drip(client: socket.socket, _request: bytes) -> None:
    """A picture, one byte a quarter of a second."""
    for byte in part(noisy()[0]):
        client.sendall(bytes((byte,)))
        time.sleep(0.25)


def reset(client: socket.socket, _request: bytes) -> None:
    """The end of a connection that says that it is one of an error."""
    time.sleep(0.2)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def hang_up(client: socket.socket, _request: bytes) -> None:
    """Half a picture, and the end."""
    client.sendall(part(noisy()[0])[:-300])


def go_on(client: socket.socket, _request: bytes) -> None:
    """A stream that has begun is well again."""
    while True:
        for picture in noisy():
            client.sendall(part(picture))
            time.sleep(0.02)


def say_nothing(client: socket.socket, _request: bytes) -> None:
    """Silence, until the other side hangs up."""
    client.recv(1)


def run(model: Path, source: str, *more: str, **environment: str) -> Ended:
    """A loop that ends by itself."""
    with CameraProcess(model, source, *more, **environment) as process:
        return process.end()


def read_all(source: Source) -> None:
    """Read until it ends."""
    while source.read() is not None:
        pass


def seconds_to_start_a_reader() -> float:
    """What a process takes on this machine, now, that imports what reads an RTSP camera."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import edgecls.sources.rtsp"], check=True)
    return time.monotonic() - started


def check_counts(ended: Ended) -> None:
    summary = ended.summary
    counted = summary["classified"] + summary["dropped"] + summary["unreadable"]
    assert summary["frames"] == counted


@pytest.mark.fault(42)
class TestNoCamera:
    def test_is_an_error_for_a_person_and_for_a_script(self, model: Path) -> None:
        for more in ((), ("--max-frames", "1")):
            ended = run(model, "/dev/video987", *more)
            assert (ended.events, ended.code) == ([], 1)
            assert ended.stderr.startswith("error: there is no camera /dev/video987")
            assert "hint: plug one in" in ended.stderr

    def test_is_waited_for_on_request_and_classified_when_it_comes(self, model: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        with CameraProcess(model, f"http://127.0.0.1:{port}/", "--wait") as process:
            lost = process.wait_for("source", state="lost")
            assert "Connection refused" in lost["reason"]
            time.sleep(1.0)
            with MjpegServer(playing(noisy()), port=port):
                process.wait_for("source", state="back", seconds=5.0)
                process.wait_for("prediction", seconds=1.0)
                ended = process.stop()
        assert ended.code == 0
        assert ended.summary["source"]["lost"] == 1
        assert "warning: " in ended.stderr
        assert "waiting for it" in ended.stderr

    def test_is_waited_for_by_a_service(self, model: Path, tmp_path: Path) -> None:
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
            CameraProcess(
                model, "/dev/video987", NOTIFY_SOCKET=str(tmp_path / "notify")
            ) as process,
        ):
            systemd.bind(str(tmp_path / "notify"))
            process.wait_for("source", state="lost")
            assert process.stop().code == 0

    def test_one_shot_of_a_service_is_an_error(self, model: Path, tmp_path: Path) -> None:
        ended = run(
            model, "/dev/video987", "--max-frames", "1", NOTIFY_SOCKET=str(tmp_path / "notify")
        )
        assert ended.code == 1

    @pytest.mark.parametrize(
        "source",
        [
            pytest.param("nonsense", id="no file"),
            pytest.param("fake:dogs", id="no such fake"),
            pytest.param("http:///x", id="no host"),
            pytest.param("concat:a|b", id="a scheme that is refused"),
        ],
    )
    def test_what_no_waiting_will_bring_is_an_error_at_once(self, model: Path, source: str) -> None:
        ended = run(model, source, "--wait")
        assert (ended.events, ended.code) == ([], 1)


class TestLosses:
    """Each connection ends otherwise; the next one is well."""

    @pytest.mark.parametrize(
        ("ends", "reason"),
        [
            pytest.param(say_nothing, "no picture for 0.6 s", marks=pytest.mark.fault(45)),
            pytest.param(drip, "no picture for 0.6 s", marks=pytest.mark.fault(46)),
            pytest.param(hang_up, "the camera ended the stream", marks=pytest.mark.fault(47)),
            pytest.param(reset, "Connection reset by peer", marks=pytest.mark.fault(48)),
        ],
        ids=["stalls", "sends a byte now and then", "hangs up in a picture", "is reset"],
    )
    def test_it_is_back_when_it(self, model: Path, ends: Answer, reason: str) -> None:
        with (
            MjpegServer(playing(noisy(), count=20, then=ends), playing(noisy())) as server,
            CameraProcess(model, server.url(), *SOON) as process,
        ):
            process.wait_for("prediction")
            lost = process.wait_for("source", state="lost")
            process.wait_for("source", state="back", seconds=1.0)
            process.wait_for("prediction", seconds=1.0)
            ended = process.stop()
        assert reason in lost["reason"]
        numbers = [event["frame"] for event in ended.of("prediction")]
        assert numbers == sorted(set(numbers))
        assert (ended.code, ended.stderr) == (0, "")
        check_counts(ended)

    @pytest.mark.parametrize(
        "begins",
        [
            pytest.param(say_nothing, marks=pytest.mark.fault(53), id="answers"),
            pytest.param(silence_after(HEAD), marks=pytest.mark.fault(44), id="sends a picture"),
        ],
    )
    def test_it_is_asked_again_when_it_never(self, model: Path, begins: Answer) -> None:
        with (
            MjpegServer(begins, playing(noisy())) as server,
            CameraProcess(model, server.url(), "--wait", *SOON) as process,
        ):
            process.wait_for("source", state="lost")
            process.wait_for("source", state="back", seconds=3.0)
            process.wait_for("prediction", seconds=1.0)
            assert process.stop().code == 0

    @pytest.mark.fault(43)
    @pytest.mark.slow
    def test_a_camera_that_was_away_for_long_is_back_within_5_s(self, model: Path) -> None:
        with MjpegServer(playing(noisy(), count=10)) as server:
            port = server.port
            process = CameraProcess(model, server.url())
            process.wait_for("prediction")
        with process:
            process.wait_for("source", state="lost")
            time.sleep(9.0)  # by now it is looked for every 4 s
            with MjpegServer(playing(noisy()), port=port):
                process.wait_for("source", state="back", seconds=5.0)
                assert process.stop().code == 0

    @pytest.mark.fault(144)
    @pytest.mark.parametrize(
        "location", ["http://[::1/stream", "http://x:99999/", "//[", "http://\x1b[31m/"]
    )
    def test_a_redirect_to_no_address_is_tried_again(self, model: Path, location: str) -> None:
        away = answer(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode())
        with (
            MjpegServer(away, away, playing(noisy())) as server,
            CameraProcess(model, server.url(), "--wait", *SOON) as process,
        ):
            lost = process.wait_for("source", state="lost")
            process.wait_for("source", state="back", seconds=3.0)
            process.wait_for("prediction")
            assert process.stop().code == 0
        assert "the camera sends us on" in lost["reason"]

    @pytest.mark.fault(52)
    def test_a_name_that_nobody_knows_any_more_does_not_end_the_loop(self, model: Path) -> None:
        # A name that never resolves, from the first look on.
        with CameraProcess(model, "http://no-such-camera.invalid/", "--wait", *SOON) as process:
            lost = process.wait_for("source", state="lost")
            assert "the name 'no-such-camera.invalid' is not known" in lost["reason"]
            time.sleep(1.5)
            before = time.monotonic()
            assert process.stop().code == 0
            assert time.monotonic() - before < patience(2.0)


class TestFrames:
    @pytest.mark.fault(54)
    def test_corrupt_frames_are_counted_and_the_next_are_classified(self, model: Path) -> None:
        good = noisy()
        corrupt = [*(part(b"no JPEG at all") for _ in range(3)), part(good[0][:400])]
        stream = b"".join([part(good[0]), *corrupt, *(part(jpeg) for jpeg in good)])
        with (
            MjpegServer(silence_after(HEAD, stream)) as server,
            CameraProcess(model, server.url()) as process,
        ):
            process.wait_for("prediction", frame=len(good))
            ended = process.stop()
        assert ended.summary["unreadable"] >= 3  # the fourth may have been overtaken undecoded
        assert ended.summary["frames"] == 1 + len(corrupt) + len(good)
        check_counts(ended)
        assert ended.of("unreadable")

    @pytest.mark.fault(55)
    def test_a_resolution_that_changes_is_followed(self, model: Path) -> None:
        small, large = noisy(166), noisy(64, size=(480, 640))
        with (
            MjpegServer(playing([small[0], small[1], large[0], large[1]])) as server,
            CameraProcess(model, server.url()) as process,
        ):
            for label in ("level 6", "level 2", "level 6", "level 2"):
                process.wait_for("prediction", label=label)
            ended = process.stop()
        assert (ended.summary["unreadable"], ended.states) == (0, [])

    @pytest.mark.parametrize(
        ("trouble", "pictures", "fps"),
        [
            pytest.param("frozen", noisy()[:1], 50, marks=pytest.mark.fault(56), id="frozen"),
            pytest.param("black", noisy(3), 50, marks=pytest.mark.fault(57), id="black"),
            pytest.param("slow", noisy(), 5, marks=pytest.mark.fault(58), id="too few"),
        ],
    )
    def test_pictures_are_told_once_that_are(
        self, model: Path, trouble: str, pictures: list[bytes], fps: float
    ) -> None:
        with (
            MjpegServer(
                playing(
                    pictures,
                    fps,
                    count=round(2.5 * fps),
                    then=go_on,
                )
            ) as server,
            CameraProcess(
                model, server.url(), "--warn-after", "1", "--camera-fps", "50"
            ) as process,
        ):
            begin = process.wait_for("warning", state="begin")
            end = process.wait_for("warning", state="end")
            ended = process.stop()
        assert [event["trouble"] for event in ended.of("warning")] == [trouble] * 2
        assert begin["seconds"] >= 1.0
        assert begin["reason"]
        assert end["seconds"] > begin["seconds"]
        assert ended.summary["source"][f"{trouble}_s"] >= 1.0

    @pytest.mark.fault(56)
    @pytest.mark.fault(57)
    @pytest.mark.fault(58)
    def test_a_still_scene_of_a_real_sensor_is_no_trouble(self, model: Path) -> None:
        with (
            MjpegServer(playing(noisy())) as server,
            CameraProcess(model, server.url(), "--warn-after", "0.5") as process,
        ):
            process.wait_for("prediction", frame=120)
            ended = process.stop()
        assert ended.of("warning") == []
        assert "source" not in ended.summary


@pytest.mark.fault(77)
@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_camera_that_says_nothing_when_it_is_opened_does_not_hold_up_the_end(
    model: Path, scheme: str
) -> None:
    with MjpegServer(say_nothing) as server:
        url = server.url().replace("http", scheme)
        with CameraProcess(model, url, "--source-timeout", "60") as process:
            server.wait_for_request(patience(20.0))
            before = time.monotonic()
            ended = process.stop()
    assert time.monotonic() - before < patience(2.0)
    assert (ended.code, ended.summary["frames"]) == (0, 0)


class TestIsolation:
    @pytest.mark.fault(59)
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=["killed", "crashed"])
    def test_the_process_that_reads_is_replaced_within_a_second(
        self, model: Path, number: int
    ) -> None:
        with RtspServer(GRAY) as server, CameraProcess(model, server.url()) as process:
            process.wait_for("prediction")
            (child,) = process.children
            os.kill(child, number)
            lost = process.wait_for("source", state="lost", seconds=1.0)
            back = process.wait_for("source", state="back")
            start_s = seconds_to_start_a_reader()
            process.wait_for("prediction")
            assert process.children != [child]
            ended = process.stop()
        assert f"({signal.Signals(number).name})" in lost["reason"]
        # On a quiet machine it takes 0.2 s; on a busy one as long as four such starts at most.
        assert back["time"] - lost["time"] < max(1.0, 4 * start_s)
        assert (ended.code, ended.stderr) == (0, "")

    @pytest.mark.fault(45)
    def test_a_process_that_hangs_is_killed_and_replaced(self, model: Path) -> None:
        with RtspServer(GRAY) as server, CameraProcess(model, server.url(), *SOON) as process:
            process.wait_for("prediction")
            (child,) = process.children
            os.kill(child, signal.SIGSTOP)
            lost = process.wait_for("source", state="lost", seconds=2.0)
            process.wait_for("source", state="back", seconds=2.0)
            assert not os.path.exists(f"/proc/{child}")
        assert "hangs (no answer in 0.6 s)" in lost["reason"]

    @pytest.mark.fault(60)
    def test_a_process_that_grows_is_ended_at_its_cap(self) -> None:
        source = IsolatedSource(
            "fake", "fake:colors?fps=100&loop=1&leak=5:4", SourceWishes(memory_mb=100)
        )
        with pytest.raises(SourceError, match=r"took \d+ MB, more than the 100 MB it may have"):
            read_all(source)
        assert not os.path.exists(f"/proc/{source.child}")

    @pytest.mark.fault(60)
    def test_its_cap_is_the_users_choice_and_the_loop_goes_on(self, model: Path) -> None:
        # It needs more than that from the start: it is ended after a second, again and again.
        with (
            RtspServer(GRAY) as server,
            CameraProcess(model, server.url(), "--source-memory", "10") as process,
        ):
            lost = process.wait_for("source", state="lost")
            process.wait_for("source", state="back", seconds=1.0)
            process.wait_for("prediction")
            assert process.stop().code == 0
        assert "more than the 10 MB it may have" in lost["reason"]

    @pytest.mark.fault(59)
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_no_process_is_left_behind(self, model: Path, number: int) -> None:
        with RtspServer(GRAY) as server, CameraProcess(model, server.url()) as process:
            process.wait_for("prediction")
            (child,) = process.children
            os.kill(process.pid, number)
            end_s = time.monotonic() + patience(3.0)
            while os.path.exists(f"/proc/{child}") and time.monotonic() < end_s:
                time.sleep(0.02)
            assert not os.path.exists(f"/proc/{child}")


def answering(status: str, *fields: str, body: str = "") -> Answer:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *fields, ""))
    return answer((head + body).encode())


class TestRefusals:
    @pytest.mark.parametrize(
        ("send", "problem"),
        [
            pytest.param(
                answering("401 Unauthorized", "WWW-Authenticate: Basic realm=x"),
                "wants a user and a password (401)",
                marks=pytest.mark.fault(49),
                id="401",
            ),
            pytest.param(
                answering("404 Not Found"),
                "has nothing at this address (404)",
                marks=pytest.mark.fault(49),
                id="404",
            ),
            pytest.param(
                answering("200 OK", "Content-Type: text/html", body="<html>"),
                "that is a web page",
                marks=pytest.mark.fault(49),
                id="a web page",
            ),
            pytest.param(
                answering("302 Found", "Location: /again"),
                "sends us on more than 5 times",
                marks=pytest.mark.fault(50),
                id="redirects without an end",
            ),
            pytest.param(
                answering("302 Found", "Location: file:///etc/passwd"),
                "'file:///etc/passwd' is not the address of a camera",
                marks=pytest.mark.fault(51),
                id="a redirect to a file",
            ),
        ],
    )
    def test_is_one_error_with_a_cure(self, model: Path, send: Answer, problem: str) -> None:
        with MjpegServer(send) as server:
            ended = run(model, server.url())
        assert (ended.events, ended.code) == ([], 1)
        assert problem in ended.stderr
        assert ended.stderr.count("error: ") == 1
        assert "hint: " in ended.stderr

    @pytest.mark.fault(49)
    def test_a_camera_that_is_still_starting_is_waited_for(self, model: Path) -> None:
        page = answering("200 OK", "Content-Type: text/html", body="<html>booting")
        with (
            MjpegServer(answering("404 Not Found"), page, playing(noisy())) as server,
            CameraProcess(model, server.url(), "--wait") as process,
        ):
            process.wait_for("source", state="back", seconds=3.0)
            process.wait_for("prediction")
            assert process.stop().code == 0

    @pytest.mark.fault(61)
    @pytest.mark.parametrize("scheme", ["http", "rtsp"])
    def test_a_password_is_never_printed(self, model: Path, scheme: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        address = f"{scheme}://me:hid%40den@127.0.0.1:{port}/x?token=hid@den"
        for more in (("--no-wait",), ("--wait", "--duration", "1")):
            ended = run(model, address, *more, *SOON, EDGECLS_SOURCE_PASSWORD="hid@den")
            assert ended.stderr
            assert "hid" not in json.dumps(ended.events) + ended.stderr.replace("***", "")

    @pytest.mark.fault(61)
    def test_a_password_of_the_environment_is_in_no_command_line(self, model: Path) -> None:
        with RtspServer(GRAY) as server:
            process = CameraProcess(
                model, server.url(), EDGECLS_SOURCE_USER="me", EDGECLS_SOURCE_PASSWORD="hidden"
            )
            with process:
                process.wait_for("prediction")
                for pid in (process.pid, *process.children):
                    assert b"hidden" not in Path(f"/proc/{pid}/cmdline").read_bytes()

    @pytest.mark.fault(62)
    @pytest.mark.parametrize(
        "source", ["concat:a.mp4|b.mp4", "subfile,,start,0,end,9,,:a.mp4", "file:///a.mp4"]
    )
    def test_other_schemes_are_refused(self, model: Path, source: str) -> None:
        ended = run(model, source, "--wait")
        assert (ended.events, ended.code) == ([], 1)


def write_video(path: Path, frames: int = 12) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for _ in range(frames):
        writer.write(np.full((48, 64, 3), GRAY, np.uint8))
    writer.release()


class TestRecordings:
    @pytest.mark.fault(63)
    @pytest.mark.parametrize("more", [(), ("--wait",)])
    def test_the_end_of_a_file_is_the_end_of_the_work(
        self, model: Path, tmp_path: Path, more: tuple[str, ...]
    ) -> None:
        write_video(tmp_path / "a.avi")
        ended = run(model, str(tmp_path / "a.avi"), *more)
        assert (ended.code, ended.stderr) == (0, "")
        assert (ended.summary["classified"], ended.summary["dropped"]) == (12, 0)

    @pytest.mark.fault(64)
    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda content: _claim(content, 0), id="none"),
            pytest.param(lambda content: _claim(content, 1_000_000), id="a million"),
        ],
    )
    def test_all_frames_are_read_of_a_file_that_claims(
        self, model: Path, tmp_path: Path, change: Callable[[bytes], bytes]
    ) -> None:
        write_video(tmp_path / "a.avi")
        (tmp_path / "b.avi").write_bytes(change((tmp_path / "a.avi").read_bytes()))
        ended = run(model, str(tmp_path / "b.avi"))
        assert (ended.code, ended.summary["classified"]) == (0, 12)


def _claim(content: bytes, frames: int) -> bytes:
    """An AVI whose header says that it has so many frames (`dwTotalFrames` of `avih`)."""
    at = content.index(b"avih") + 8 + 16
    return content[:at] + frames.to_bytes(4, "little") + content[at + 4 :]


def test_no_thread_and_no_open_file_is_left_behind_by_losses(model: Path) -> None:
    with (
        MjpegServer(*[playing(noisy(), count=3)] * 4, playing(noisy())) as server,
        CameraProcess(model, server.url()) as process,
    ):
        process.wait_for("prediction")
        before = [len(os.listdir(f"/proc/{process.pid}/{what}")) for what in ("fd", "task")]
        for _ in range(4):
            process.wait_for("source", state="back")
        process.wait_for("prediction")
        after = [len(os.listdir(f"/proc/{process.pid}/{what}")) for what in ("fd", "task")]
        assert all(now <= then for now, then in zip(after, before, strict=True))
        assert process.stop().code == 0
