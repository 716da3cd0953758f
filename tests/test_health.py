"""Frozen, black and too few frames of a camera are told once, and never of a well one."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.capture.health import Health, is_black
from edgecls.contract.warning_event import WarningEvent
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame
from edgecls.sources import CapturedFrame as FrameOfSource
from edgecls.sources import Closing

WARN_S = 10.0
FPS = 30.0


class Camera(Closing):
    name, is_sequence = "a camera", True

    def __init__(self, *, is_live: bool = True, rate: float = 0.0) -> None:
        self.is_live = is_live
        self.rate = rate

    def read(self) -> FrameOfSource | None:
        return None


class Bench:
    """A health whose clock is ours: frames come at the times that a test says."""

    def __init__(
        self, *, warn_s: float = WARN_S, asked_fps: float = 0.0, camera: Camera | None = None
    ) -> None:
        self.told: list[WarningEvent] = []
        self.health = Health(self.told.append, warn_s, asked_fps)
        self.health.begin(camera or Camera())
        self.now = self.health._window_s  # when it began
        self._random = np.random.default_rng(0)

    def play(
        self,
        seconds: float,
        fps: float = FPS,
        *,
        noise: int = 1,
        level: int = 100,
        waits: bool = True,
    ) -> None:
        """Frames of one scene; `noise` 0 makes them the same."""
        for _ in range(round(seconds * fps)):
            self.now += 1 / fps
            frame = np.full((48, 64, 3), level, np.uint8)
            frame[0, :8, 0] += self._random.integers(0, noise + 1, 8, np.uint8)
            waited_s = 0.9 / fps if waits else 0.0
            self.health.see(CapturedFrame(frame, 0, 0.0), self.now, waited_s)

    @property
    def troubles(self) -> list[tuple[str, str]]:
        return [(event.trouble, event.state) for event in self.told]


def test_a_scene_with_the_least_noise_is_well() -> None:
    bench = Bench()
    bench.play(60)
    assert bench.troubles == []


@pytest.mark.fault(56)
def test_the_same_frame_for_long_is_frozen_and_told_once() -> None:
    bench = Bench()
    bench.play(2)
    bench.play(25, noise=0)
    assert bench.troubles == [("frozen", "begin")]
    assert bench.told[0].seconds == pytest.approx(WARN_S, abs=1.0)
    assert "has not changed by one bit for 10 s" in bench.told[0].reason
    bench.play(2)
    assert bench.troubles == [("frozen", "begin"), ("frozen", "end")]
    assert bench.told[1].seconds == pytest.approx(25, abs=1.0)
    assert bench.health.seconds["frozen_s"] == bench.told[1].seconds


def test_a_picture_that_is_renewed_every_few_seconds_is_not_frozen() -> None:
    bench = Bench()
    for level in range(5):
        bench.play(8, noise=0, level=level)
    assert bench.troubles == []


@pytest.mark.parametrize(
    ("asked", "says", "before", "after", "wanted"),
    [
        pytest.param(30, 0, 5, 5, "5.0 frames a second, 30 were asked for", id="of asked"),
        pytest.param(0, 30, 15, 15, "15.0 frames a second, 30 are what it says", id="of promised"),
        pytest.param(0, 0, 30, 10, "10.0 frames a second, 30 is what it gave before", id="of then"),
    ],
)
@pytest.mark.fault(58)
def test_far_too_few_frames_are_told(
    asked: float, says: float, before: float, after: float, wanted: str
) -> None:
    bench = Bench(asked_fps=asked, camera=Camera(rate=says))
    bench.play(12, fps=before)
    bench.play(24, fps=after)
    assert bench.troubles == [("slow", "begin")]
    assert wanted in bench.told[0].reason
    assert "exposure_dynamic_framerate=0" in bench.told[0].reason
    bench.play(12, fps=30)
    assert bench.troubles == [("slow", "begin"), ("slow", "end")]


@pytest.mark.parametrize(
    ("asked", "fps", "waits"),
    [
        pytest.param(30, 25, True, id="a little less is no trouble"),
        pytest.param(200, 99, True, id="more than we drain is not asked of it"),
        pytest.param(30, 5, False, id="a board that is too slow is not the camera's fault"),
    ],
)
def test_a_rate_that_is_not_told(asked: float, fps: float, waits: bool) -> None:
    bench = Bench(asked_fps=asked)
    bench.play(40, fps=fps, waits=waits)
    assert bench.troubles == []


def test_what_comes_and_goes_is_told_once_in_half_a_minute() -> None:
    bench = Bench(warn_s=1.0)
    for _ in range(5):
        bench.play(2, noise=0)
        bench.play(1, noise=3)
    assert bench.troubles == [("frozen", "begin"), ("frozen", "end")]
    bench.play(30)
    bench.play(2, noise=0)
    assert bench.troubles[2:] == [("frozen", "begin")]


def test_a_loss_ends_it() -> None:
    bench = Bench()
    bench.play(12, noise=0)
    bench.health.end()
    assert bench.troubles == [("frozen", "begin"), ("frozen", "end")]


@pytest.mark.parametrize(
    "bench",
    [
        pytest.param(lambda: Bench(warn_s=0.0), id="that nobody wants to be told of"),
        pytest.param(lambda: Bench(camera=Camera(is_live=False)), id="of a recording"),
    ],
)
def test_nothing_is_told(bench: type[Bench]) -> None:
    made = bench()
    made.play(30, noise=0)
    made.health.see_pixels(np.zeros((48, 64, 3), np.uint8))
    made.health.end()
    assert made.troubles == []


def lamp_in_the_night() -> Frame:
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[200:260, 300:380] = 200
    return frame


@pytest.mark.parametrize(
    ("frame", "is_so"),
    [
        pytest.param(np.zeros((480, 640, 3), np.uint8), True, id="a covered lens"),
        pytest.param(np.full((480, 640, 3), 16, np.uint8), True, id="the black of video"),
        pytest.param(
            np.random.default_rng(0).integers(0, 31, (480, 640, 3), np.uint8),
            True,
            id="a covered lens with its noise",
        ),
        pytest.param(np.full((4, 4, 3), 5, np.uint8), True, id="a tiny black frame"),
        pytest.param(lamp_in_the_night(), False, id="a lamp in the night"),
        pytest.param(np.full((480, 640, 3), 40, np.uint8), False, id="dusk"),
        pytest.param(np.full((480, 640, 3), (0, 0, 60), np.uint8), False, id="dark blue"),
    ],
)
@pytest.mark.fault(57)
def test_is_black(frame: Frame, is_so: bool) -> None:
    assert is_black(frame) is is_so
