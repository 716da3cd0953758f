"""A window: drawn by the main thread, closed by the user, and told clearly when there is none."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgecls.errors import SinkError
from edgecls.imaging.opencv import cv2
from edgecls.sinks.window import WindowSink, _gui_of, check_display, draw
from tests.support.broker import wait_until
from tests.support.frames import frame, prediction
from tests.support.patience import patience
from tests.support.tiny_model import write_tiny_model


class TestDrawing:
    def test_the_frame_is_shown_above_a_line_of_text(self) -> None:
        shown = draw(prediction(0, "cat", 0.75), frame(0))
        assert shown.shape == (360 + 40, 480, 3)  # 48x64, made large enough to be seen
        assert shown[360:].max() == 255

    def test_colours_are_those_of_the_frame(self) -> None:
        red = dataclasses.replace(frame(0), pixels=np.full((480, 640, 3), (255, 0, 0), np.uint8))
        assert draw(prediction(0), red)[100, 100].tolist() == [0, 0, 255]  # BGR

    def test_a_large_frame_is_made_smaller(self) -> None:
        large = dataclasses.replace(frame(0), pixels=np.zeros((1080, 1920, 3), np.uint8))
        assert draw(prediction(0), large).shape == (720 + 40, 1280, 3)

    def test_a_label_of_other_letters_and_line_feeds_does_no_harm(self) -> None:
        assert draw(prediction(0, "two\nlines 猫 \x1b[2J"), frame(0)).shape[2] == 3

    def test_only_the_newest_is_kept(self) -> None:
        sink = WindowSink()
        for number in range(100):
            sink.handle(prediction(number), frame(number))
        assert sink._newest is not None
        assert sink._newest[0].frame == 99


class TestNoDisplay:
    def test_no_display_is_told_with_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        with pytest.raises(SinkError, match="neither DISPLAY nor WAYLAND_DISPLAY is set") as told:
            check_display()
        assert "ssh -X" in told.value.hint

    def test_a_display_that_is_not_there_is_told_and_ends_no_process(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if _gui_of(cv2.getBuildInformation()) == "NONE":
            pytest.skip("the OpenCV that is installed here has no windows")
        monkeypatch.setenv("DISPLAY", ":98765")
        with pytest.raises(SinkError, match="no window can be opened"):
            check_display()

    @pytest.mark.parametrize(
        ("text", "gui"),
        [
            ("  GUI:                           NONE\n    GTK+: NO", "NONE"),
            ("  GUI:                           QT5\n    QT: YES", "QT5"),
            ("  Media I/O:", ""),
        ],
        ids=["headless", "Qt", "not said"],
    )
    def test_how_opencv_says_whether_it_has_windows(self, text: str, gui: str) -> None:
        assert _gui_of(text) == gui


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A screen that nobody sees."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        pytest.skip("Xvfb is not installed: apt-get install xvfb")
    if _gui_of(cv2.getBuildInformation()) == "NONE":
        pytest.skip("the OpenCV that is installed here has no windows")
    reading, writing = os.pipe()
    with subprocess.Popen(
        [
            xvfb,
            "-displayfd",
            str(writing),
            "-screen",
            "0",
            "1024x768x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(writing)
        with os.fdopen(reading) as out:
            number = out.readline().strip()
        yield f":{number}"
        process.terminate()


class TestProcess:
    @pytest.fixture
    def command(self, tmp_path: Path) -> list[str]:
        write_tiny_model(tmp_path / "model.tflite")
        model = str(tmp_path / "model.tflite")
        return [sys.executable, "-m", "edgecls", "camera", "--model", model, "--window"]

    def test_the_loop_ends_and_the_window_with_it(self, display: str, command: list[str]) -> None:
        result = subprocess.run(
            [*command, "--source", "fake:colors?fps=20&loop=1", "--max-frames", "20"],
            capture_output=True,
            text=True,
            check=False,
            timeout=patience(30.0),
            env={**os.environ, "DISPLAY": display},
        )
        assert result.returncode == 0, result.stderr
        assert "20 frames classified" in result.stdout

    def test_an_error_of_the_loop_is_an_error_beside_a_window_too(
        self, display: str, command: list[str]
    ) -> None:
        result = subprocess.run(
            [*command, "--source", "no-such-file"],
            capture_output=True,
            text=True,
            check=False,
            timeout=patience(30.0),
            env={**os.environ, "DISPLAY": display},
        )
        assert result.returncode == 1
        assert "error: there is no source 'no-such-file'" in result.stderr

    @pytest.mark.parametrize("key", ["q", "Escape"])
    def test_a_key_closes_the_window_and_ends_the_loop(
        self, display: str, command: list[str], key: str
    ) -> None:
        xdotool = shutil.which("xdotool")
        if xdotool is None:
            pytest.skip("xdotool is not installed: it presses keys")
        environment = {**os.environ, "DISPLAY": display}
        with subprocess.Popen(
            [*command, "--source", "fake:colors?fps=20&loop=1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        ) as process:
            try:
                press = f"search --name ^edgecls$ windowfocus --sync key --delay 100 {key}"

                def has_ended() -> bool:  # the window may have no focus to take yet
                    command = [xdotool, *press.split()]
                    subprocess.run(command, env=environment, capture_output=True, check=False)
                    return process.poll() is not None

                wait_until(has_ended, f"{key} is obeyed", 20.0)
                out, err = process.communicate(timeout=patience(10.0))
            finally:
                process.kill()
        assert process.returncode == 0, err
        assert "frames classified" in out

    def test_without_a_display_nothing_is_begun(self, command: list[str]) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.endswith("DISPLAY")}
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment
        )
        assert result.returncode == 1
        assert "error: a window needs a display" in result.stderr


def test_what_the_loop_raises_is_raised_beside_the_window(display: str) -> None:
    # In a process of its own: HighGUI may be used from one thread of a process only.
    script = (
        "from edgecls.errors import SourceError\n"
        "from edgecls.sinks.window import WindowSink, run_beside\n"
        "def fail():\n    raise SourceError('the camera is gone')\n"
        "try:\n    run_beside(WindowSink(), fail)\n"
        "except SourceError as told:\n    print(told.problem)\n"
        "print(run_beside(WindowSink(), lambda: 'done'))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DISPLAY": display},
    )
    assert result.stdout == "the camera is gone\ndone\n", result.stderr
