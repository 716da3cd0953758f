"""Flags of `edgecls camera` about frames: which way up, what part, how often."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import brightness_of

Cli = Callable[..., Any]


def lines(result: Any, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return [line for line in found if line["event"] == kind]


@pytest.fixture
def quarters(tmp_path: Path) -> Path:
    """A picture of 80x60 with another level in each quarter: 1 and 3 above, 6 and 8 below."""
    frame = np.empty((60, 80, 3), np.uint8)
    for row, column, level in ((0, 0, 1), (0, 40, 3), (30, 0, 6), (30, 40, 8)):
        frame[row : row + 30, column : column + 40] = brightness_of(level)
    cv2.imwrite(str(tmp_path / "quarters.png"), frame)
    return tmp_path / "quarters.png"


@pytest.mark.parametrize(
    ("flags", "label"),
    [
        pytest.param((), "level 1", id="as the camera hangs"),
        pytest.param(("--rotate", 90), "level 6", id="turned by a quarter, clockwise"),
        pytest.param(("--rotate", 180), "level 8", id="upside down"),
        pytest.param(("--rotate", 270), "level 3", id="turned by a quarter, the other way"),
        pytest.param(("--flip", "horizontal"), "level 3", id="left and right exchanged"),
        pytest.param(("--flip", "vertical"), "level 6", id="top and bottom exchanged"),
        pytest.param(("--flip", "both"), "level 8", id="both exchanged"),
        pytest.param(("--rotate", 90, "--flip", "horizontal"), "level 1", id="turned, mirrored"),
    ],
)
@pytest.mark.parametrize("roi", ["0,0,0.5,0.5", "0,0,30,30"], ids=["share", "pixels"])
def test_the_region_is_of_the_upright_frame(
    cli: Cli, model: Path, quarters: Path, flags: tuple[object, ...], roi: str, label: str
) -> None:
    result = cli("camera", "-m", model, "-s", quarters, "--json", "--roi", roi, *flags)
    assert [line["label"] for line in lines(result, "prediction")] == [label]


def test_what_does_not_move_is_classified_now_and_then(
    cli: Cli, model: Path, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for _ in range(100):
        writer.write(np.full((48, 64, 3), 100, np.uint8))
    writer.release()
    result = cli("camera", "-m", model, "-s", clip, "--json", "--motion", "--idle-fps", 1)
    (summary,) = lines(result, "summary")
    # 21 frames in the first two seconds, then one a second: at 3 to 9, a little later by rounding.
    assert summary["classified"] == pytest.approx(28, abs=1)
    assert summary["classified"] + summary["gated"] == summary["frames"] == 100
    assert "gate" in summary["latency_ms"]


def test_what_always_moves_is_always_classified(cli: Cli, model: Path) -> None:
    result = cli("camera", "-m", model, "-s", "fake:colors?fps=0&frames=40", "--json", "--motion")
    (summary,) = lines(result, "summary")
    assert (summary["classified"], summary.get("gated", 0)) == (40, 0)


def test_the_end_says_what_limited_the_loop(cli: Cli, model: Path) -> None:
    source = "fake:colors?fps=0&loop=1"
    result = cli("camera", "-m", model, "-s", source, "--fps", 5, "--duration", 0.7)
    assert "limited by --fps: the loop paused (" in result.stdout
    result = cli("camera", "-m", model, "-s", "fake:colors?fps=10&frames=8")
    assert "limited by the source: the loop waited for frames (" in result.stdout


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--rotate", 45), "rotate is 45, wanted 0, 90, 180 or 270 degrees"),
        (("--flip", "sideways"), "there is no flip 'sideways'"),
        (("--roi", "1,2,3"), "'1,2,3' is no region"),
        (("--roi", "0.5,0,0.6,1"), "the region 0.5,0,0.6,1 reaches beyond the frame"),
        (("--size", "720p"), "'720p' is no frame size"),
        (("--size", "0x0"), "the frame size is 0x0"),
        (("--camera-fps", 0), "the camera's fps is 0.0, wanted 0 to 1000"),
        (("--pixel-format", "RGB"), "there is no pixel format 'RGB'"),
        (("--motion", "--motion-threshold", 0), "the motion threshold is 0.0"),
        (("--motion", "--idle-fps", -1), "the idle rate is -1.0"),
        (("--threads", 0), "0 threads were asked for, wanted at least 1"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else "",
)
def test_a_flag_that_makes_no_sense_is_one_line(
    cli: Cli, model: Path, flags: tuple[object, ...], problem: str
) -> None:
    result = cli("camera", "-m", model, "-s", "fake:colors?frames=1", *flags)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].startswith(f"error: {problem}")


def test_a_region_beyond_the_frame_is_one_line_with_the_frames_size(cli: Cli, model: Path) -> None:
    result = cli("camera", "-m", model, "-s", "fake:colors", "--roi", "600,0,100,100")
    assert result.exit_code == 1
    assert "reaches beyond the frame of 640x480 pixels" in result.stderr
