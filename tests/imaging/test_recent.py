"""Frames that were shown are found by their numbers, within bounds of memory."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.prepare import crop_center, kept_part
from edgecls.imaging.recent import KEPT_S, FrameGoneError, Recent

FRAME_BYTES = 10 * 10 * 3


def frame(number: int) -> CapturedFrame:
    return CapturedFrame(np.full((10, 10, 3), number, np.uint8), number, 0.0)


def cut(number: int) -> CapturedFrame:
    """A small region of a large frame, which it keeps in memory."""
    whole = np.full((100, 100, 3), number, np.uint8)
    return CapturedFrame(whole[:10, :10], number, 0.0)


def test_a_frame_is_found_by_its_number_and_its_run() -> None:
    recent = Recent()
    recent.add(frame(3))
    assert recent.find(recent.run, 3).index == 3
    for run, number in ((recent.run, 4), ("", 3), (Recent().run, 3)):
        with pytest.raises(FrameGoneError, match="is not kept any more: nothing was taken"):
            recent.find(run, number)


def test_those_shown_the_longest_ago_go_first() -> None:
    recent = Recent(3 * FRAME_BYTES)
    for number in range(5):
        recent.add(frame(number))
    recent.add(frame(2))  # shown again
    recent.add(frame(5))
    assert recent.size_bytes == 3 * FRAME_BYTES
    assert [recent.find(recent.run, number).index for number in (4, 2, 5)] == [4, 2, 5]
    with pytest.raises(FrameGoneError):
        recent.find(recent.run, 3)


def test_the_newest_is_kept_whatever_its_size() -> None:
    recent = Recent(10)
    recent.add(frame(0))
    recent.add(frame(1))
    assert recent.find(recent.run, 1).index == 1
    assert recent.size_bytes == FRAME_BYTES


def test_a_region_weighs_what_it_keeps_in_memory() -> None:
    recent = Recent(10 * 100 * FRAME_BYTES)
    recent.add(cut(0))
    assert recent.size_bytes == 100 * FRAME_BYTES


def test_of_a_jpeg_only_the_file_is_kept() -> None:
    recent = Recent()
    recent.add(CapturedFrame(np.zeros((100, 100, 3), np.uint8), 0, 0.0, jpeg=b"\xff\xd8 a file"))
    kept = recent.find(recent.run, 0)
    assert (kept.pixels, kept.jpeg) == (None, b"\xff\xd8 a file")
    assert recent.size_bytes == len(b"\xff\xd8 a file")


def test_large_frames_are_shown_for_long_enough_to_be_kept() -> None:
    recent = Recent(4 * FRAME_BYTES)
    assert recent.least_s(frame(0)) == pytest.approx(KEPT_S / 4)


def test_when_nobody_has_looked_for_a_while_all_are_forgotten() -> None:
    recent = Recent()
    recent.add(frame(0))
    recent.expire(time.monotonic() - 5)
    assert recent.size_bytes == FRAME_BYTES
    recent.expire(time.monotonic() - 60)
    assert recent.size_bytes == 0


@pytest.mark.parametrize(
    ("size", "wanted", "fraction"),
    [
        pytest.param((480, 640), (28, 28), 1.0, id="a square of a frame"),
        pytest.param((640, 480), (96, 128), 0.875, id="a part of the middle"),
        pytest.param((3, 1000), (224, 224), 1.0, id="a very wide one"),
    ],
)
def test_the_outline_is_just_what_is_cut_out(
    size: tuple[int, int], wanted: tuple[int, int], fraction: float
) -> None:
    rows, columns = np.indices(size)
    places = np.stack([rows, columns, rows], axis=2)
    inner = crop_center(places, wanted, fraction)  # type: ignore[arg-type]
    preprocessing = Preprocessing(wanted, crop_fraction=fraction)
    x, y, width, height = kept_part(size, preprocessing)
    assert (x * size[1], y * size[0]) == pytest.approx((inner[0, 0, 1], inner[0, 0, 0]))
    assert (width * size[1], height * size[0]) == pytest.approx((inner.shape[1], inner.shape[0]))


@pytest.mark.parametrize("crop", ["stretch", "pad"])
def test_without_a_crop_all_of_it_is_kept(crop: str) -> None:
    preprocessing = Preprocessing((28, 28), crop=crop)  # type: ignore[arg-type]
    assert kept_part((480, 640), preprocessing) == (0.0, 0.0, 1.0, 1.0)
