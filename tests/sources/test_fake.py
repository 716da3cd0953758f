"""The made-up frames that ship: what they show, how fast, and how they fail on request."""

from __future__ import annotations

import threading
import time
from collections import Counter

import numpy as np
import pytest

from edgecls.errors import PictureError, SourceError
from edgecls.imaging.opencv import cv2
from edgecls.pictures.digits import DigitPictures
from edgecls.sources import CapturedFrame, SourceWishes, open_source
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


def play_on(text: str, wishes: SourceWishes | None = None) -> list[CapturedFrame | str]:
    """All frames, and for one that fails, what is said of it; a lost source ends them."""
    shown: list[CapturedFrame | str] = []
    with open_source(text, wishes) as source:
        while True:
            try:
                frame = source.read()
            except PictureError as wrong:
                shown.append(wrong.problem)
                continue
            except SourceError as lost:
                return [*shown, lost.problem]
            if frame is None:
                return shown
            shown.append(frame)


class TestFaults:
    def test_a_camera_may_hang_up(self) -> None:
        *frames, last = play_on("fake:colors?fps=0&close=2")
        assert (len(frames), last) == (2, "it hung up, as it was told to")

    def test_a_stall_delays_all_that_follow(self) -> None:
        start = time.monotonic()
        frames = play("fake:colors?fps=100&frames=4&stall=2:0.3s")
        assert [frame.index for frame in frames] == [0, 1, 2, 3]
        assert frames[1].captured_s - start < frames[2].captured_s - start - 0.3

    def test_a_stall_beyond_the_timeout_is_a_loss(self) -> None:
        start = time.monotonic()
        *frames, last = play_on("fake:colors?fps=0&stall=2:60s", SourceWishes(timeout_s=0.1))
        assert (len(frames), last) == (2, "it sent nothing for 0.1 s, as it was told to")
        assert time.monotonic() - start < patience(1)

    def test_a_driver_may_hang(self) -> None:
        source = open_source("fake:colors?fps=0&hang=1")
        assert source.read() is not None
        reader = threading.Thread(target=source.read, daemon=True)
        reader.start()
        reader.join(0.2)
        assert reader.is_alive()

    @pytest.mark.parametrize(
        ("fault", "corrupt"),
        [
            pytest.param("corrupt=2", [2], id="one"),
            pytest.param("corrupt=1:3", [1, 2, 3], id="some in a row"),
        ],
    )
    def test_frames_may_be_corrupt(self, fault: str, corrupt: list[int]) -> None:
        shown = play_on(f"fake:colors?fps=0&{fault}")
        assert [index for index, frame in enumerate(shown) if isinstance(frame, str)] == corrupt

    def test_frames_may_be_black(self) -> None:
        frames = play("fake:colors?fps=0&black=1:2")
        assert [bool(frame.pixels.any()) for frame in frames if frame.pixels is not None] == [
            False,  # the first colour is black anyway
            False,
            False,
            True,
            True,
        ]

    def test_frames_may_be_frozen(self) -> None:
        truths = [frame.truth for frame in play("fake:colors?fps=0&frozen=1:3")]
        assert truths == ["black", "red", "red", "red", "white"]

    def test_frames_may_change_their_size(self) -> None:
        frames = play("fake:colors?fps=0&resize=3:320x240")
        assert [frame.pixels.shape[:2] for frame in frames if frame.pixels is not None] == [
            *[(480, 640)] * 3,
            *[(240, 320)] * 2,
        ]

    def test_a_camera_may_become_slow(self) -> None:
        times = [frame.media_s for frame in play("fake:colors?fps=100&slow=2:20")]
        assert times == pytest.approx([0, 0.01, 0.02, 0.07, 0.12])

    def test_frames_may_come_as_jpegs(self) -> None:
        frames = play("fake:colors?fps=0&jpeg=1")
        assert [frame.pixels for frame in frames] == [None] * 5
        red = cv2.imdecode(np.frombuffer(frames[1].jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert red is not None
        assert red[0, 0].tolist() == pytest.approx([0, 0, 255], abs=6)

    def test_a_corrupt_jpeg_is_found_by_who_decodes_it(self) -> None:
        frames = play("fake:colors?fps=0&jpeg=1&corrupt=1")
        assert [frame.jpeg.endswith(b"\xff\xd9") for frame in frames] == [
            True,
            False,
            True,
            True,
            True,
        ]

    @pytest.mark.parametrize(
        ("fault", "problem"),
        [
            pytest.param("stall=2", "stall is '2', wanted a number", id="a stall without an end"),
            pytest.param("hang=2:3", "hang is '2:3', wanted the number of a frame", id="too much"),
            pytest.param("corrupt=x", "corrupt is 'x', wanted a whole number", id="a word"),
            pytest.param("slow=1:1e-300", "wanted 0, or 1e-06 or more", id="a rate of nearly 0"),
            pytest.param("black=1:-1", "black is '1:-1', wanted 0 or more", id="less than nothing"),
            pytest.param("resize=1:0x9", "wanted sides of 1 to 4096", id="no width"),
            pytest.param("resize=1:9", "wanted a whole number", id="one side"),
            pytest.param("slow=1:0", "wanted more than 0 frames a second", id="a rate of 0"),
        ],
    )
    def test_a_fault_that_is_written_wrongly_shows_how_to_write_it(
        self, fault: str, problem: str
    ) -> None:
        with pytest.raises(SourceError) as refused:
            open_source(f"fake:colors?{fault}")
        assert problem in refused.value.problem
        assert refused.value.hint.startswith(f"write {fault.partition('=')[0]}=")


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
            "known: fps, frames, loop, fail_after, corrupt_every, jpeg, stall, hang, close,"
            " corrupt, black, frozen, resize, slow, leak",
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
