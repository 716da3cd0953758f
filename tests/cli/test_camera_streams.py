"""`edgecls camera` on streams of the network, from end to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.mjpeg_server import HEAD, MjpegServer, answer, endless, jpeg_of, part
from tests.support.rtsp_server import RtspServer
from tests.support.tiny_model import write_tiny_model

GRAY = (166, 166, 166)  # of the model's ten levels of brightness the seventh: 166 / 25.6 = 6.5


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_tiny_model(tmp_path / "model.tflite")
    return tmp_path / "model.tflite"


def run(model: Path, source: str, *more: str, **environment: str) -> tuple[list[Any], str, int]:
    """Events, stderr and exit code."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edgecls", "camera", "--json", "--duration", "30"),
            *("--model", str(model), "--source", source, *more),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr, done.returncode


def labels(events: list[Any]) -> set[str]:
    return {event["label"] for event in events if event["event"] == "prediction"}


def test_an_mjpeg_stream_is_classified(model: Path) -> None:
    with MjpegServer(endless(jpeg_of(GRAY))) as server:
        events, problems, code = run(model, server.url(), "--max-frames", "20")
    assert (labels(events), problems, code) == ({"level 6"}, "", 0)
    assert events[-1]["classified"] == 20


def test_an_rtsp_stream_is_classified(model: Path) -> None:
    with RtspServer(GRAY) as server:
        events, problems, code = run(model, server.url(), "--max-frames", "20")
    assert (labels(events), problems, code) == ({"level 6"}, "", 0)
    assert events[-1]["classified"] == 20


@pytest.mark.fault(47)
def test_a_stream_that_hangs_up_is_opened_again_and_numbers_go_on(model: Path) -> None:
    gray = jpeg_of(GRAY)
    with MjpegServer(answer(HEAD, part(gray), part(gray)[:-99]), endless(gray)) as server:
        events, _, code = run(model, server.url(), "--max-frames", "10")
    states = [event["state"] for event in events if event["event"] == "source"]
    numbers = [event["frame"] for event in events if event["event"] == "prediction"]
    assert (states, code) == (["lost", "back"], 0)
    assert numbers == sorted(set(numbers))


@pytest.mark.fault(61)
def test_a_password_is_nowhere_in_what_is_printed(model: Path) -> None:
    refused = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n\r\n"
    gray = jpeg_of(GRAY)
    with MjpegServer(
        answer(refused), answer(HEAD, part(gray)), answer(refused), endless(gray)
    ) as server:
        url = server.url("/?pwd=hidden", login="me:hidden@")
        events, problems, code = run(model, url, "--max-frames", "5")
    assert code == 0
    assert [event["state"] for event in events if event["event"] == "source"] == ["lost", "back"]
    assert "hidden" not in json.dumps(events) + problems


@pytest.mark.fault(49)
def test_a_camera_that_refuses_is_one_error_with_a_cure(model: Path) -> None:
    with MjpegServer(answer(b"HTTP/1.1 404 Not Found\r\n\r\n")) as server:
        events, problems, code = run(model, server.url())
        url = server.url()
    assert (events, code) == ([], 1)
    assert problems.startswith(
        f"error: {url}: the camera has nothing at this address (404)\n  hint: the stream's own"
    )


@pytest.mark.fault(62)
def test_another_scheme_is_refused(model: Path) -> None:
    events, problems, code = run(model, "concat:a.mp4|b.mp4")
    assert (events, code) == ([], 1)
    assert problems.startswith("error: sources of the kind 'concat:' are refused")
