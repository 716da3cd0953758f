"""Frames that come as JPEG: decoded only when they will be classified, and while others are."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pytest

from edgecls.capture import Capture, Develop
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import InvalidValueError, PictureError
from edgecls.imaging.captured import CapturedFrame, develop
from edgecls.imaging.opencv import cv2
from edgecls.imaging.view import WHOLE, Region, View
from edgecls.sources import Closing
from tests.support.patience import patience

JPEG: Final = bytes(cv2.imencode(".jpg", np.full((480, 640, 3), 99, np.uint8))[1])


class JpegCamera(Closing):
    """Sends so many JPEGs, one every `interval_s`."""

    name, is_live, is_sequence = "a camera", True, True

    def __init__(self, frames: int, interval_s: float = 0.0, jpeg: bytes = JPEG) -> None:
        self.has_ended = threading.Event()
        self._frames = frames
        self._interval_s = interval_s
        self._jpeg = jpeg
        self._index = -1

    def read(self) -> CapturedFrame | None:
        if self._index + 1 == self._frames:
            self.has_ended.set()
            return None
        time.sleep(self._interval_s)
        self._index += 1
        return CapturedFrame(None, self._index, self._index * self._interval_s, jpeg=self._jpeg)


class Decoder:
    """Stands for the real one: notes what it decodes, and takes its time."""

    def __init__(self, seconds: float = 0.0, fails_at: int = -1) -> None:
        self.decoded: list[int] = []
        self._seconds = seconds
        self._fails_at = fails_at

    def __call__(self, frame: CapturedFrame) -> CapturedFrame:
        self.decoded.append(frame.index)
        time.sleep(self._seconds)
        if frame.index == self._fails_at:
            raise PictureError("it is corrupt")
        return dataclasses.replace(frame, pixels=np.zeros((8, 8, 3), np.uint8))


@pytest.fixture
def open_capture() -> Iterator[Callable[[JpegCamera, Develop], Capture]]:
    stop = threading.Event()
    opened: list[Capture] = []

    def open_(camera: JpegCamera, decode: Develop) -> Capture:
        opened.append(Capture(lambda: camera, stop, lambda _: None, decode))
        opened[-1].open()
        opened[-1].start()
        return opened[-1]

    yield open_
    stop.set()
    for capture in opened:
        capture.close()


def take_all(capture: Capture, work_s: float = 0.0) -> list[CapturedFrame]:
    """All frames until the end, with work on each."""
    taken = []
    while not capture.is_over:
        if (frame := capture.take()) is not None:
            taken.append(frame)
            time.sleep(work_s)
    return taken


Opener = Callable[[JpegCamera, Develop], Capture]


def test_frames_come_out_decoded_and_with_their_jpeg(open_capture: Opener) -> None:
    capture = open_capture(
        JpegCamera(1), lambda frame: develop(frame, Preprocessing((28, 28)), WHOLE)
    )
    (frame,) = take_all(capture)
    assert frame.pixels is not None
    assert frame.pixels.shape == (60, 80, 3)  # an eighth of 480x640 still covers 28x28
    assert frame.jpeg is JPEG
    assert frame.decode_ms > 0


def test_what_is_overtaken_is_not_decoded(open_capture: Opener) -> None:
    camera, decode = JpegCamera(20), Decoder()
    capture = open_capture(camera, decode)
    assert camera.has_ended.wait(patience(2.0))
    time.sleep(0.01)  # longer than a frame that was decoded ahead counts as fresh
    assert [frame.index for frame in take_all(capture)] == [19]
    assert decode.decoded == [0, 19]  # the first was decoded for a taker who did not come
    assert (capture.taken, capture.dropped, capture.unreadable) == (1, 19, 0)


def test_a_slow_taker_gets_the_newest_frame_and_few_others_are_decoded(
    open_capture: Opener,
) -> None:
    decode = Decoder(0.001)
    capture = open_capture(JpegCamera(100, 0.005), decode)
    taken = take_all(capture, work_s=0.05)
    assert capture.taken + capture.dropped == 100
    assert len(decode.decoded) - len(taken) <= len(taken) / 2
    assert len(decode.decoded) < 50


def test_frames_do_not_grow_old_however_slow_the_taker_is(open_capture: Opener) -> None:
    interval_s, work_s = 0.02, 0.1
    capture = open_capture(JpegCamera(60, interval_s), Decoder(0.002))
    ages_s = []
    while not capture.is_over:
        if (frame := capture.take()) is not None:
            ages_s.append(time.monotonic() - frame.captured_s)
            time.sleep(work_s)
    # One frame, and the little for which a decoded frame counts as fresh; never the taker's work.
    assert sorted(ages_s)[len(ages_s) // 2] < patience(interval_s + 0.01)
    assert len(ages_s) >= 5


def test_decoding_overlaps_with_the_taker(open_capture: Opener) -> None:
    decode_s = work_s = 0.03
    started = time.monotonic()
    for _ in range(20):  # what one after the other takes, on this machine at this moment
        time.sleep(decode_s)
        time.sleep(work_s)
    one_by_one_s = time.monotonic() - started
    capture = open_capture(JpegCamera(10_000), Decoder(decode_s))
    started = time.monotonic()
    taken = 0
    while taken < 20:
        if capture.take() is not None:
            taken += 1
            time.sleep(work_s)
    assert time.monotonic() - started < 0.9 * one_by_one_s


def test_two_threads_decode_where_one_is_not_enough(open_capture: Opener) -> None:
    decode_s, work_s, frames = 0.02, 0.005, 40
    started = time.monotonic()
    for _ in range(frames):  # what one decoding thread takes, on this machine at this moment
        time.sleep(decode_s)
    one_thread_s = time.monotonic() - started
    capture = open_capture(JpegCamera(10_000), Decoder(decode_s))
    indices: list[int] = []
    started = time.monotonic()
    while len(indices) < frames:
        if (frame := capture.take()) is not None:
            indices.append(frame.index)
            time.sleep(work_s)
    assert time.monotonic() - started < 0.9 * one_thread_s
    assert indices == sorted(set(indices))


def test_every_frame_of_a_fast_camera_is_accounted_for(open_capture: Opener) -> None:
    capture = open_capture(JpegCamera(200), Decoder(0.002))
    taken = take_all(capture, work_s=0.001)
    assert len(taken) == capture.taken
    assert capture.taken + capture.dropped + capture.unreadable == 200


@pytest.mark.parametrize("work_s", [0.0, 0.03], ids=["decoded ahead", "decoded when taken"])
def test_a_frame_that_cannot_be_decoded_is_counted_and_passed_over(
    open_capture: Opener, work_s: float
) -> None:
    def fail_at_odd(frame: CapturedFrame) -> CapturedFrame:
        if frame.index % 2:
            raise PictureError("it is corrupt")
        return Decoder()(frame)

    capture = open_capture(JpegCamera(40, 0.005), fail_at_odd)
    taken = take_all(capture, work_s)
    assert all(frame.index % 2 == 0 for frame in taken)
    assert capture.unreadable > 0
    assert capture.taken + capture.dropped + capture.unreadable == 40


def test_a_region_beyond_the_first_frame_is_the_callers_error(open_capture: Opener) -> None:
    view = View(region=Region.parse("600,0,100,100"))
    capture = open_capture(
        JpegCamera(1), lambda frame: develop(frame, Preprocessing((28, 28)), view)
    )
    assert take_all(capture) == []
    assert isinstance(capture.failure, InvalidValueError)
    assert "reaches beyond the frame of 640x480" in str(capture.failure)


def test_a_camera_that_changes_to_a_smaller_size_does_not_end_the_loop(
    open_capture: Opener,
) -> None:
    def outgrow(frame: CapturedFrame) -> CapturedFrame:
        if frame.index > 0:
            raise InvalidValueError("the region reaches beyond the frame")
        return Decoder()(frame)

    capture = open_capture(JpegCamera(5, 0.02), outgrow)
    assert [frame.index for frame in take_all(capture)] == [0]
    assert (capture.unreadable, capture.failure) == (4, None)


def test_waiting_is_told_apart_by_what_was_waited_for(open_capture: Opener) -> None:
    slow_camera = open_capture(JpegCamera(10, 0.02), Decoder())
    take_all(slow_camera)
    assert slow_camera.waits.source_s > slow_camera.waits.decode_s
    slow_decoder = open_capture(JpegCamera(10), Decoder(0.02))
    take_all(slow_decoder)
    assert slow_decoder.waits.decode_s > slow_decoder.waits.source_s
