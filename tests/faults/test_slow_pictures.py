"""Pictures made to keep a decoder busy, in a camera's stream: told, counted, and passed over."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgecls.imaging.opencv import cv2
from tests.imaging.test_scans import PROGRESSIVE, first_scan_and, jpeg_of
from tests.support.camera_process import CameraProcess
from tests.support.mjpeg_server import HEAD, MjpegServer, part, then_silence
from tests.support.patience import patience
from tests.support.tiny_model import frame_of, to_jpeg, write_tiny_model

BOMB: Final = jpeg_of(PROGRESSIVE, first_scan_and(4000), size=(4096, 4096))
AVIF: Final = cv2.imencode(".avif", np.zeros((8000, 8000, 3), np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.tflite"
    write_tiny_model(path)
    return path


@pytest.mark.fault(135)
@pytest.mark.fault(142)
@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        pytest.param(BOMB, "so many scans", id="a JPEG of 4,000 scans"),
        pytest.param(AVIF, "that is no JPEG", id="an AVIF of 64 megapixels"),
    ],
)
def test_a_camera_that_sends_them_goes_on_and_stops_in_time(
    model: Path, picture: bytes, reason: str
) -> None:
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
    assert reason in told["reason"]
    assert ended.summary["frames"] == 7
    assert ended.summary["unreadable"] >= 1  # others may have been overtaken undecoded
