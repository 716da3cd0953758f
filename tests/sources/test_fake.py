"""The made-up frames that ship: what they show, how fast, and how they fail on request."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest

from edgecls.errors import PictureError, SourceError
from edgecls.pictures.digits import DigitPictures
from edgecls.sources import CapturedFrame, open_source
from tests.support.patience import patience


def play(text: str) -> list[CapturedFrame]:
    with open_source(text) as source:
        return list(iter(source.read, None))


def test_digits_are_the_held_out_ones_each_once_with_its_truth() -> None:
    digits = DigitPictures()
    held_out = [
        (digits.load_frame(int(place))[:, :, 0].tobytes(), str(digits.targets[place]))
        for place in digits.held_out
    ]
    # A digit is shown 480 pixels high, in the middle of 640: look at the middle of each pixel.
    middles = ((np.arange(28) + 0.5) * 480 / 28).astype(int)
    shown = [
        (frame.pixels[middles][:, 80 + middles, 0].tobytes(), frame.truth)
        for frame in play("fake:digits?fps=0")
    ]
    assert len(shown) == 1000
    assert sorted(shown) == sorted(held_out)


def test_digits_are_mixed_the_same_way_every_time() -> None:
    truths = [[frame.truth for frame in play("fake:digits?fps=0&frames=50")] for _ in range(2)]
    assert truths[0] == truths[1]
    assert len(Counter(truths[0])) > 5


def test_colors_are_shown_one_a_frame() -> None:
    shown = {frame.truth: frame.pixels[0, 0].tolist() for frame in play("fake:colors?fps=0")}
    assert shown == {
        "black": [0, 0, 0],
        "red": [255, 0, 0],
        "green": [0, 255, 0],
        "blue": [0, 0, 255],
        "white": [255, 255, 255],
    }


def test_a_pace_is_kept() -> None:
    start = time.monotonic()
    frames = play("fake:colors?fps=50&frames=11")
    assert len(frames) == 11
    assert time.monotonic() - start >= 0.2  # ten steps of 20 ms
    assert frames[10].media_s == pytest.approx(0.2)


def test_without_a_pace_all_frames_are_played_at_once() -> None:
    start = time.monotonic()
    assert len(play("fake:colors?fps=0&frames=100")) == 100
    assert time.monotonic() - start < patience(3.3)  # what they take at the usual 30 a second


@pytest.mark.parametrize(
    ("text", "is_live"),
    [
        pytest.param("fake:colors", True, id="with a pace it is a camera"),
        pytest.param("fake:colors?fps=0", False, id="without it is a recording"),
    ],
)
def test_the_pace_decides_whether_it_is_live(text: str, is_live: bool) -> None:
    assert open_source(text).is_live == is_live


def test_a_loop_begins_again_and_counts_on() -> None:
    with open_source("fake:colors?fps=0&loop=1") as source:
        frames = [source.read() for _ in range(7)]
    assert [(frame.index, frame.truth) for frame in frames if frame][4:] == [
        (4, "white"),
        (5, "black"),
        (6, "red"),
    ]


def test_it_fails_after_as_many_frames_as_it_was_told() -> None:
    with open_source("fake:colors?fps=0&fail_after=2") as source:
        assert [frame.truth for frame in (source.read(), source.read()) if frame] == [
            "black",
            "red",
        ]
        with pytest.raises(SourceError, match="unplugged, as it was told to be"):
            source.read()


def test_every_so_many_frames_one_is_corrupt() -> None:
    with open_source("fake:colors?fps=0&corrupt_every=3") as source:
        first, second = source.read(), source.read()
        with pytest.raises(PictureError, match="frame 2 is corrupt"):
            source.read()
        fourth = source.read()
    assert [frame.index for frame in (first, second, fourth) if frame] == [0, 1, 3]


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        pytest.param(
            "fake:cats",
            "there is no fake source 'cats'",
            "known: fake:digits, fake:colors",
            id="an unknown name",
        ),
        pytest.param(
            "fake:colors?speed=3",
            "'fake:colors?speed=3' has the unknown option 'speed'",
            "known: fps, frames, loop, fail_after, corrupt_every",
            id="an unknown option",
        ),
        pytest.param(
            "fake:colors?fps=fast",
            "'fake:colors?fps=fast': fps is 'fast', wanted a number",
            "leave it out for 30.0",
            id="a word for a number",
        ),
        pytest.param(
            "fake:colors?frames=2.5",
            "'fake:colors?frames=2.5': frames is '2.5', wanted a whole number",
            "leave it out for 0",
            id="half a frame",
        ),
        pytest.param(
            "fake:colors?frames=-1",
            "'fake:colors?frames=-1': frames is '-1', wanted 0 or more",
            "leave it out for 0",
            id="a negative number",
        ),
        pytest.param(
            "fake:colors?fps=nan",
            "'fake:colors?fps=nan': fps is 'nan', wanted 0 or more",
            "leave it out for 30.0",
            id="no number",
        ),
        pytest.param(
            "fake:colors?fps=",
            "'fake:colors?fps=': fps is '', wanted a number",
            "leave it out for 30.0",
            id="nothing",
        ),
    ],
)
def test_wrong_options_are_refused(text: str, problem: str, hint: str) -> None:
    with pytest.raises(SourceError) as refused:
        open_source(text)
    assert (refused.value.problem, refused.value.hint) == (problem, hint)
