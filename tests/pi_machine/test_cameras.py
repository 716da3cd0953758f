"""`edgecls camera` on /dev/video0 of an emulated machine, and everything a camera does to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.pi_machine.conftest import Scenes

# The promise for a camera that is plugged in again, which the emulator's slowness may not break
# either; measured from the moment at which the kernel has made its file.
BACK_S = 5.0
# A camera is given up on 3 s after its last frame, which may have come a little before it hung.
SILENT_S = 2.5


@pytest.fixture(scope="module")
def vivid(play: Callable[..., Scenes]) -> Scenes:
    """The kernel's test camera, which sends plain pixels."""
    return play("vivid", "scenes_vivid.py")


@pytest.fixture(scope="module")
def usb(play: Callable[..., Scenes]) -> Scenes:
    """A webcam that sends MJPEG."""
    return play("usb", "scenes_usb.py")


def check_recovery(scene: dict[str, object]) -> None:
    assert scene["states"] == ["lost", "back"]
    assert scene["predictions_after"] >= 3  # type: ignore[operator]


def test_the_camera_is_found(vivid: Scenes) -> None:
    assert vivid["cameras"]["devices"] == ["/dev/video0"]


@pytest.mark.parametrize("scene", ["unplug", "another resolution"])
@pytest.mark.fault(43)
def test_a_webcam_that_was_pulled_and_plugged_in_again_is_back(usb: Scenes, scene: str) -> None:
    check_recovery(usb[scene])
    assert usb[scene]["reason"] == "the camera /dev/video0 is lost: No such device"
    assert usb[scene]["back_after_s"] < BACK_S


@pytest.mark.fault(45)
def test_a_webcam_that_hangs_is_given_up_on_and_is_back_when_it_sends_again(usb: Scenes) -> None:
    check_recovery(usb["hang"])
    assert usb["hang"]["reason"] == "the camera /dev/video0 sent nothing for 3 s"
    assert usb["hang"]["lost_after_s"] >= SILENT_S


def test_frames_of_a_webcam_arrive_as_it_sent_them_and_undecoded(usb: Scenes) -> None:
    frames = usb["frames"]
    assert frames["as_sent"] + frames["damaged"] == frames["read"]
    assert frames["damaged"] <= 1
    assert frames["decoded"] == 0


@pytest.mark.fault(45)
def test_a_camera_of_plain_pixels_that_hangs_is_back(vivid: Scenes) -> None:
    check_recovery(vivid["hang"])


@pytest.mark.fault(43)
def test_a_driver_that_goes_and_comes_is_back(vivid: Scenes) -> None:
    check_recovery(vivid["unplug"])
    assert vivid["unplug"]["back_after_s"] < BACK_S


@pytest.mark.parametrize(
    ("scene", "code", "state", "words"),
    [
        pytest.param("in use", 0, "note", "edgecls uses it already", id="in use by edgecls itself"),
        pytest.param(
            "not ours", 1, "blocking", "you are not in the group video", id="not in the group video"
        ),
        pytest.param("ours", 0, "ok", "/dev/video0 (vivid-", id="in the group, and free"),
    ],
)
def test_doctor_says_what_of_the_camera(
    vivid: Scenes, scene: str, code: int, state: str, words: str
) -> None:
    told = vivid[f"doctor: {scene}"]
    assert (told["code"], told["stderr"]) == (code, "")
    (found,) = told["found"]
    assert found["state"] == state
    assert words in found["text"]


@pytest.mark.parametrize("camera", ["vivid", "usb"])
def test_it_classified_all_along_and_ends_cleanly(
    camera: str, request: pytest.FixtureRequest
) -> None:
    end = request.getfixturevalue(camera)["end"]
    assert (end["code"], end["stderr"]) == (130, "")
    assert end["labels"]
    assert end["summary"]["event"] == "summary"
    assert end["summary"]["classified"] > 0
