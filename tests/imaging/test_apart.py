"""Pictures that may take long are decoded in a child process, which a deadline or Ctrl-C ends."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import PictureError
from edgecls.imaging import apart
from edgecls.imaging.captured import CapturedFrame, develop
from edgecls.imaging.decode import decode
from edgecls.imaging.opencv import cv2
from edgecls.imaging.view import WHOLE
from tests.support.patience import patience
from tests.support.tiny_model import write_tiny_model

FRAME = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
NOISE = np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), np.uint8)


def encoded(kind: str, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    return cv2.imencode(kind, pixels)[1].tobytes()


@pytest.mark.fault(133)
@pytest.mark.parametrize("kind", [".tif", ".avif", ".gif"])
def test_what_comes_from_the_child_is_what_opencv_decodes(kind: str) -> None:
    content = encoded(kind, FRAME)
    expected = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert np.array_equal(decode(content), expected)
    assert np.array_equal(decode(content), expected)


@pytest.mark.fault(133)
def test_what_takes_too_long_is_unreadable_and_the_next_one_is_read() -> None:
    with pytest.raises(PictureError, match=r"the TIFF takes longer than 0\.001 s to decode"):
        apart.decode_apart(encoded(".tif", NOISE), "TIFF", limit_s=0.001)
    assert apart.decode_apart(encoded(".tif", FRAME), "TIFF").shape == FRAME.shape


@pytest.mark.fault(133)
def test_a_decoder_that_dies_costs_its_picture() -> None:
    apart.decode_apart(encoded(".tif", FRAME), "TIFF")
    os.kill(apart._IDLE[-1]._child.pid, signal.SIGSEGV)
    with pytest.raises(PictureError, match="its decoder ended"):
        apart.decode_apart(encoded(".tif", FRAME), "TIFF")
    assert apart.decode_apart(encoded(".tif", FRAME), "TIFF").shape == FRAME.shape


@pytest.mark.fault(136)
def test_a_gif_of_orders_to_begin_anew_is_given_up() -> None:
    header = b"GIF89a" + struct.pack("<HHBBB", 100, 100, 0x80, 0, 0) + bytes(6)
    orders = (b"\xff" + b"\x24\x49\x92" * 85) * 40_000  # of three bits, 100
    picture = b"," + struct.pack("<HHHHB", 0, 0, 100, 100, 0) + b"\2" + orders + b"\0"
    with pytest.raises(PictureError, match="the GIF takes longer than 10 s to decode"):
        decode(header + picture + b";")


def test_what_is_no_picture_is_told_as_before() -> None:
    with pytest.raises(PictureError, match="the TIFF is cut off, damaged or too large"):
        decode(b"II*\0" + bytes(100))


@pytest.mark.fault(133)
@pytest.mark.parametrize("kind", [".tif", ".avif", ".gif"])
def test_a_camera_frame_of_a_kind_that_may_take_long_is_unreadable(kind: str) -> None:
    frame = CapturedFrame(None, 0, 0.0, jpeg=encoded(kind, FRAME))
    with pytest.raises(PictureError, match="that may take long to decode") as refused:
        develop(frame, Preprocessing((28, 28), "GRAY"), WHOLE)
    assert refused.value.hint == "let it send JPEG"


@pytest.mark.parametrize("kind", [".png", ".webp", ".bmp"])
def test_a_camera_frame_of_another_quick_kind_is_read(kind: str) -> None:
    frame = CapturedFrame(None, 0, 0.0, jpeg=encoded(kind, FRAME))
    developed = develop(frame, Preprocessing((28, 28), "GRAY"), WHOLE)
    assert developed.pixels is not None


@pytest.mark.fault(133)
@pytest.mark.parametrize("command", ["classify", "evaluate"])
def test_ctrl_c_does_not_wait_for_a_picture(command: str, tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.tflite", (28, 28), "GRAY", 2)
    # 64 megapixels of one colour: a kilobyte that takes a second or more.
    slow = encoded(".avif", np.zeros((8000, 8000, 3), np.uint8))
    for label in ("level 0", "level 1"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(8):
            (tmp_path / "set" / label / f"{number}.avif").write_bytes(slow)
    running = subprocess.Popen(
        [sys.executable, "-m", "edgecls", command, "--model", "tiny.tflite", "set"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    time.sleep(patience(2.5))
    running.send_signal(signal.SIGINT)
    sent = time.monotonic()
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert time.monotonic() - sent < patience(2.0)
