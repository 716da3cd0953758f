"""Where nothing moves, few frames are classified."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecls.errors import InvalidValueError
from edgecls.gating import MotionGate, MotionSettings


def room(level: int = 100) -> Any:
    """A plain gray frame of 640x480."""
    return np.full((480, 640, 3), level, np.uint8)


def with_visitor(level: int = 200, side: int = 40) -> Any:
    """The room with a square in it."""
    frame = room()
    frame[200 : 200 + side, 300 : 300 + side] = level
    return frame


def passed(gate: MotionGate, frames: list[Any], fps: float = 10.0, start_s: float = 0.0) -> int:
    return sum(gate.passes(frame, start_s + index / fps) for index, frame in enumerate(frames))


def test_the_first_frame_is_classified() -> None:
    assert MotionGate(MotionSettings()).passes(room(), 0.0)


def test_an_empty_room_is_classified_at_the_idle_rate() -> None:
    gate = MotionGate(MotionSettings(idle_fps=1.0))
    passed(gate, [room()] * 30)  # the first frames count as moved, for two seconds
    assert passed(gate, [room()] * 100, start_s=3.0) == 10


def test_an_idle_rate_of_0_classifies_nothing_that_stands_still() -> None:
    gate = MotionGate(MotionSettings(idle_fps=0.0))
    passed(gate, [room()] * 30)
    assert passed(gate, [room()] * 100, start_s=3.0) == 0


def test_somebody_who_comes_is_seen_at_once_and_for_two_seconds() -> None:
    gate = MotionGate(MotionSettings(idle_fps=0.0))
    passed(gate, [room()] * 30)
    # At once, then 2 s at 10 frames a second; then the visitor stands still.
    assert passed(gate, [with_visitor()] * 100, start_s=3.0) == 21


@pytest.mark.parametrize(
    ("change", "is_seen"),
    [
        pytest.param(11, True, id="11 levels"),
        pytest.param(10, True, id="as much as the threshold"),
        pytest.param(9, False, id="9 levels"),
        pytest.param(-11, True, id="darker"),
    ],
)
def test_the_threshold_is_in_gray_levels(change: int, is_seen: bool) -> None:
    gate = MotionGate(MotionSettings(threshold=10.0, idle_fps=0.0))
    gate.passes(room(100), 0.0)
    assert gate.passes(room(100 + change), 10.0) is is_seen


def test_the_noise_of_a_camera_is_no_motion() -> None:
    noise = np.random.default_rng(0)
    frames = [
        np.clip(room().astype(int) + noise.normal(0, 10, (480, 640, 3)), 0, 255).astype(np.uint8)
        for _ in range(10)
    ]
    gate = MotionGate(MotionSettings(idle_fps=0.0))
    gate.passes(frames[0], 0.0)
    assert passed(gate, frames[1:], start_s=3.0) == 0


def test_what_changes_slowly_is_noticed_in_the_end() -> None:
    gate = MotionGate(MotionSettings(idle_fps=0.0))
    gate.passes(room(100), 0.0)
    dusk = [room(100 - index // 10) for index in range(200)]  # a level a second
    assert 0 < passed(gate, dusk, start_s=3.0) < 200


def test_frames_of_any_size_are_compared() -> None:
    gate = MotionGate(MotionSettings(idle_fps=0.0))
    gate.passes(np.zeros((5, 3, 3), np.uint8), 0.0)
    assert gate.passes(np.full((5, 3, 3), 255, np.uint8), 10.0)


def test_a_frame_of_another_size_counts_as_moved() -> None:
    gate = MotionGate(MotionSettings(idle_fps=0.0))
    gate.passes(np.zeros((5, 3, 3), np.uint8), 0.0)
    assert gate.passes(np.zeros((480, 640, 3), np.uint8), 10.0)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"threshold": 0.0}, "the motion threshold is 0.0, wanted more than 0, up to 255 levels"),
        ({"threshold": float("nan")}, "the motion threshold is nan"),
        ({"idle_fps": -1.0}, "the idle rate is -1.0, wanted 0 to 1000 a second"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        MotionSettings(**settings)
