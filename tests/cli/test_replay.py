"""A recording gives the same events, byte for byte; `edgecls replay` measures their worth."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import frame_of, write_tiny_model

Cli = Callable[..., Any]
EDGECLS = (sys.executable, "-m", "edgecls")
SCENES = (2, 8, 5, 1)
FPS, FRAMES_A_SCENE = 10.0, 30


def write_recording(path: Path, levels: list[int]) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48))
    for level in levels:
        writer.write(frame_of(level))
    writer.release()
    return path


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scenes of three seconds; every tenth frame looks like something else."""
    levels = [scene for scene in SCENES for _ in range(FRAMES_A_SCENE)]
    levels[9::10] = np.random.default_rng(0).integers(0, 10, len(levels) // 10).tolist()
    return write_recording(tmp_path_factory.mktemp("recording") / "clip.avi", levels)


@pytest.fixture(scope="session")
def truth(recording: Path) -> Path:
    path = recording.with_name("truth.csv")
    rows = [f"{number * 3},level {scene}" for number, scene in enumerate(SCENES)]
    path.write_text("\n".join(["time,label", *rows]))
    return path


@contextmanager
def busy_machine() -> Iterator[None]:
    """Three programs that want all they can get."""
    spin = [sys.executable, "-c", "while True: pass"]
    hogs = [subprocess.Popen(spin) for _ in range(3)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


class TestSameEvents:
    @pytest.fixture
    def models(self, tmp_path: Path) -> tuple[Path, Path]:
        """A live model, and a candidate that takes two labels for each other."""
        names = [f"level {level}" for level in range(10)]
        write_tiny_model(tmp_path / "live.tflite", (96, 96), "RGB", labels=names)
        names[2], names[5] = names[5], names[2]
        write_tiny_model(tmp_path / "candidate.tflite", labels=names)
        return tmp_path / "live.tflite", tmp_path / "candidate.tflite"

    def events(self, models: tuple[Path, Path], recording: Path, *more: str) -> list[bytes]:
        live, candidate = models
        command = [
            *(*EDGECLS, "camera", "--model", live, "--source", recording, "--json"),
            *("--held", "1", "--held", "2", "--shadow", candidate, "--shadow-every", "3", *more),
        ]
        done = subprocess.run(command, capture_output=True, check=True)
        assert done.stderr == b""
        return done.stdout.splitlines()

    def counted(self, summary: bytes) -> dict[str, Any]:
        """A summary without what a stopwatch says."""
        found: dict[str, Any] = json.loads(summary)
        for key in ("seconds", "fps", "latency_ms", "time_shares"):
            del found[key]
        del found["shadow"]["latency_ms"]
        return found

    def test_whatever_the_machine_does(self, models: tuple[Path, Path], recording: Path) -> None:
        *first, first_summary = self.events(models, recording)
        *again, again_summary = self.events(models, recording, "--threads", "2")
        with busy_machine():
            *loaded, loaded_summary = self.events(models, recording)
        assert again == first
        assert loaded == first
        assert self.counted(again_summary) == self.counted(first_summary)
        assert self.counted(loaded_summary) == self.counted(first_summary)
        kinds = {json.loads(line)["event"] for line in first}
        assert kinds == {"prediction", "change", "entered", "left", "held", "shadow"}
        assert len([line for line in first if b'"prediction"' in line]) == 120

    def test_also_with_motion_gating(self, models: tuple[Path, Path], tmp_path: Path) -> None:
        calm = write_recording(tmp_path / "calm.avi", [2] * 50 + [8] * 50)
        *first, first_summary = self.events(models, calm, "--motion")
        *again, again_summary = self.events(models, calm, "--motion")
        assert again == first
        assert json.loads(first_summary)["gated"] == json.loads(again_summary)["gated"] > 0


def test_a_recording_with_its_truth(cli: Cli, model: Path, recording: Path, truth: Path) -> None:
    result = cli("replay", "--model", model, recording, "--truth", truth, "--json")
    (found,) = (json.loads(line) for line in result.stdout.splitlines())
    assert (found["frames"], found["seconds"], found["source"]) == (120, 11.9, str(recording))
    assert (found["smoothing_s"], found["margin"], found["hold_s"]) == (0.4, 0.1, 0.5)
    assert (found["changes"], found["detected"], found["missed"]) == (3, 3, 0)
    assert (found["false"], found["repeated"]) == (0, 0)
    # 3 changes in 11.9 s; the frames that look otherwise flip single frames there and back.
    assert found["flips_per_hour"]["steady"] == pytest.approx(3 / 11.9 * 3600, abs=0.1)
    assert found["flips_per_hour"]["label"] > 5 * found["flips_per_hour"]["steady"]
    # Half-way takes ln 2 of 0.4 s, 0.28 s, and the margin of 0.1 a little more.
    assert 0.2 <= found["delay_s"]["p50"] <= 0.5


def test_each_frame_alone_is_quick_and_wrong_more_often(
    cli: Cli, model: Path, recording: Path, truth: Path
) -> None:
    result = cli(
        *("replay", "--model", model, recording, "--truth", truth, "--json", "--no-smoothing")
    )
    found = json.loads(result.stdout)
    assert found["delay_s"]["p50"] == 0.0
    assert found["false"] > 5
    assert found["flips_per_hour"]["steady"] == found["flips_per_hour"]["label"]


def test_settings_side_by_side(cli: Cli, model: Path, recording: Path, truth: Path) -> None:
    result = cli("replay", "--model", model, recording, "--truth", truth, "--compare")
    lines = result.stdout.splitlines()
    assert lines[0] == "120 frames, 11.9 s"
    assert lines[1].split()[:5] == ["smoothing", "margin", "hold", "flips/h", "steady/h"]
    assert [line.split()[0] for line in lines[2:]] == ["0", "0.2", "0.4", "0.8", "1.6"]


def test_the_users_own_setting_stands_beside_them(
    cli: Cli, model: Path, recording: Path, truth: Path
) -> None:
    result = cli(
        *("replay", "--model", model, recording, "--truth", truth, "--compare", "--json"),
        *("--smoothing", "0.3", "--hold", "0"),
    )
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["smoothing_s"] for line in found] == [0.3, 0.0, 0.2, 0.4, 0.8, 1.6]


def test_without_truth_it_tells_how_often_the_label_flips(
    cli: Cli, model: Path, recording: Path
) -> None:
    result = cli("replay", "--model", model, recording, "--json")
    assert set(json.loads(result.stdout)) == {
        *("source", "smoothing_s", "margin", "hold_s", "frames", "seconds", "flips_per_hour"),
    }


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("fake:colors",), "'fake:colors' is no recording: it is live"),
        (("nowhere.mp4",), "there is no source 'nowhere.mp4'"),
        (("fake:colors?fps=0", "--truth", "nowhere.csv"), "there is no file 'nowhere.csv'"),
        (
            ("fake:colors?fps=0", "--no-smoothing", "--hold", "1"),
            "--no-smoothing was given together with",
        ),
        (("fake:colors?fps=0", "--smoothing", "-1"), "time_constant_s is -1.0, wanted 0 or more"),
        (("fake:colors?fps=0", "--deny", "level"), "the model has no label 'level'"),
    ],
    ids=["a camera", "no file", "no truth", "both", "negative", "no label"],
)
def test_bad_input(cli: Cli, model: Path, arguments: tuple[str, ...], problem: str) -> None:
    result = cli("replay", "--model", model, *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {problem}")


def test_a_folder_of_pictures_is_no_recording(cli: Cli, model: Path, pictures: Path) -> None:
    result = cli("replay", "--model", model, pictures)
    assert "is no recording" in result.stderr
