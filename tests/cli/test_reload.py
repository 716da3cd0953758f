"""`edgecls camera --reload`, as a process: a new model is taken up while frames go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import patience
from tests.support.tiny_model import write_tiny_model

OTHERS = tuple(f"shade {level}" for level in range(10))
LIVE = "fake:colors?fps=50&loop=1"


class Camera:
    """A camera loop that watches its model file, and what it prints."""

    def __init__(self, model: Path) -> None:
        command = [sys.executable, "-m", "edgecls", "camera", "--model", str(model)]
        self.process = subprocess.Popen(
            [*command, "--source", LIVE, "--json", "--reload"], stdout=subprocess.PIPE, text=True
        )
        # What hangs is ended; then reading ends, too.
        self._timer = threading.Timer(patience(60.0), self.process.kill)
        self._timer.start()

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next event that is wanted."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if wanted(event := json.loads(line)):
                return event
        raise AssertionError("the loop ended without it")

    def close(self) -> None:
        self._timer.cancel()
        self.process.kill()
        self.process.communicate()


def is_(kind: str, **fields: Any) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["event"] == kind and fields.items() <= event.items()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_tiny_model(tmp_path / "live.tflite")
    return tmp_path / "live.tflite"


@pytest.fixture
def camera(path: Path) -> Iterator[Camera]:
    camera = Camera(path)
    camera.wait_for(is_("prediction"))
    yield camera
    camera.close()


def put(path: Path, content: bytes) -> None:
    path.with_suffix(".new").write_bytes(content)
    os.replace(path.with_suffix(".new"), path)


def test_it_refuses_what_is_broken_and_takes_up_what_is_sound(camera: Camera, path: Path) -> None:
    sound = path.with_name("sound.tflite")
    write_tiny_model(sound, labels=OTHERS)
    put(path, sound.read_bytes()[:-100])
    refused = camera.wait_for(is_("model"))
    assert (refused["state"], refused["labels"][0]) == ("refused", "level 0")
    assert "cannot be used" in refused["reason"]
    camera.wait_for(is_("prediction"))  # the old model goes on
    put(path, sound.read_bytes())
    loaded = camera.wait_for(is_("model"))
    assert (loaded["state"], loaded["labels"]) == ("loaded", list(OTHERS))
    assert camera.wait_for(is_("change", previous="unknown"))["label"].startswith("shade")
    camera.process.send_signal(signal.SIGTERM)
    summary = camera.wait_for(is_("summary"))
    assert summary["frames"] == summary["classified"] + summary["dropped"]
    assert camera.process.wait(patience(5.0)) == 0


def test_a_file_that_is_written_over_in_place_changes_nothing(camera: Camera, path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)
    frame = camera.wait_for(is_("prediction"))["frame"]
    # A second and more, in which the file is looked at several times.
    camera.wait_for(lambda event: event["event"] == "prediction" and event["frame"] > frame + 75)
    camera.process.send_signal(signal.SIGTERM)
    assert (
        camera.wait_for(lambda event: event["event"] in ("model", "summary"))["event"] == "summary"
    )
