"""Pictures made to keep a decoder busy, in a camera's stream: told, counted, and passed over."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from tests.imaging.test_scans import (
    BASELINE,
    PROGRESSIVE,
    TOO_LONG,
    first_scan_and,
    jpeg_of,
    scan_of,
)
from tests.support.camera_process import CameraProcess
from tests.support.mjpeg_server import HEAD, MjpegServer, part, then_silence
from tests.support.patience import patience
from tests.support.tiny_model import frame_of, to_jpeg, write_tiny_model

BOMB: Final = jpeg_of(PROGRESSIVE, first_scan_and(4000), size=(4096, 4096))
COLORS: Final = jpeg_of(BASELINE, scan_of(1, 0, 63) * 4000, 2, (4096, 4096))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.tflite"
    write_tiny_model(path)
    return path


@pytest.mark.fault(126)
@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(BOMB, id="a JPEG of 4,000 scans"),
        pytest.param(COLORS, id="one colour after the other, 4,000 times"),
    ],
)
def test_a_camera_that_sends_them_goes_on_and_stops_in_time(model: Path, picture: bytes) -> None:
    good = part(to_jpeg(frame_of(3)))
    stream = HEAD + good + part(picture) * 5 + good
    with (
        MjpegServer(then_silence(stream)) as server,
        CameraProcess(model, server.url()) as process,
    ):
        process.wait_for("prediction", frame=6)
        asked = time.monotonic()
        ended = process.stop()
        assert time.monotonic() - asked < patience(2.0)
    (told, *_) = ended.of("unreadable")
    assert TOO_LONG in told["reason"]
    assert ended.summary["frames"] == 7
    assert ended.summary["unreadable"] >= 1  # others may have been overtaken undecoded
