"""The service as a board gets it, under a real systemd, in the emulated machine."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.pi_machine.conftest import Scenes

# Until three more frames are classified: a camera's 5 s, and the frames, in an emulator.
BACK_S = 10.0


@pytest.fixture(scope="module")
def scenes(play: Callable[..., Scenes]) -> Scenes:
    """All that happens to it, one after the other, in one machine."""
    return play("usb", "scenes_service.py", init="systemd")


def test_it_is_ready_when_it_has_classified_a_frame(scenes: Scenes) -> None:
    assert scenes["start"]["state"] == "active"
    assert " frames a second" in scenes["start"]["status"]


@pytest.mark.parametrize(
    ("scene", "restarts"),
    [
        pytest.param("kill", 1, id="killed"),
        pytest.param("stop", 1, id="a process that hangs, by the watchdog"),
        pytest.param("unplug", 0, id="a webcam that is pulled, without a restart"),
        pytest.param("hang", 0, id="a webcam that hangs, without a restart"),
        pytest.param("boot without a camera", 0, id="a webcam that comes later"),
    ],
)
def test_it_is_back_without_help(scenes: Scenes, scene: str, restarts: int) -> None:
    found = scenes[scene]
    assert found["classifies"]
    assert (found["state"], found["restarts"]) == ("active", restarts)
    assert " frames a second" in found["status_after"]


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        ("unplug", "the camera /dev/video0 is lost: No such device"),
        ("hang", "the camera /dev/video0 sent nothing for 3 s"),
    ],
)
def test_its_status_says_why_there_is_no_picture(scenes: Scenes, scene: str, reason: str) -> None:
    assert scenes[scene]["status"].startswith(f"no picture: {reason}")
    assert scenes[scene]["back_after_s"] < BACK_S


def test_a_board_without_its_camera_is_not_restarted_in_a_circle(scenes: Scenes) -> None:
    assert scenes["away"]["restarts"] <= 3
    assert scenes["away"]["status"].startswith(("no picture: ", "error: "))


def test_a_model_that_it_does_not_run_with_is_not_kept(scenes: Scenes) -> None:
    refused = scenes["refused"]
    assert refused["code"] == 1
    assert refused["said"][-1].startswith(
        "error: edgecls-camera.service does not run: the model has no label '3'; the old model is"
        " back ("
    )
    assert (refused["is_old"], refused["names"]) == (True, ["model.tflite"])
    assert (refused["classifies"], refused["state"]) == (True, "active")


def test_a_model_that_it_runs_with_is_kept(scenes: Scenes) -> None:
    deployed = scenes["deployed"]
    assert deployed["code"] == 0
    assert json.loads(deployed["report"])["service"]["status"].startswith("level ")
    assert (deployed["is_old"], deployed["classifies"]) == (False, True)
    assert deployed["names"] == ["model.tflite", "model.tflite.1"]


def test_it_ends_in_order(scenes: Scenes) -> None:
    assert (scenes["end"]["state"], scenes["end"]["result"]) == ("inactive", "success")
