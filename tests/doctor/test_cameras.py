"""Cameras: none, busy, not ours, on a ribbon; and when the loop cannot run for it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edgecls.doctor.cameras import check_cameras, find_cameras
from edgecls.doctor.finding import Finding
from edgecls.doctor.system import System
from edgecls.profile import load_profile
from tests.support.made_board import MadeBoard, write
from tests.support.made_system import made_system

PI = load_profile("raspberry-pi-4b")
PC = load_profile("linux")


def check(system: System, **more: bool) -> list[Finding]:
    return list(check_cameras(system, PI, **{"has_picamera2": False, **more}))  # type: ignore[arg-type]


@pytest.fixture
def made(tmp_path: Path) -> MadeBoard:
    return MadeBoard(tmp_path)


def test_a_webcam_is_one_camera_though_it_has_two_devices(made: MadeBoard) -> None:
    made.video(0, "HD Pro Webcam C920")
    made.video(1, "HD Pro Webcam C920", index=1)
    (found,) = check(made_system(made.root))
    assert (found.state, found.text) == ("ok", "/dev/video0 (HD Pro Webcam C920)")


def test_codecs_and_image_processors_are_no_cameras(made: MadeBoard) -> None:
    for number, name in enumerate(
        ("bcm2835-codec-decode", "bcm2835-isp-output0", "pispbe-input", "rpi-hevc-dec")
    ):
        made.video(10 + number, name)
    assert find_cameras(made_system(made.root)) == []


def test_a_ribbon_camera_is_one_camera_though_it_has_many_devices(made: MadeBoard) -> None:
    for number in range(8):
        made.video(number, f"rp1-cfe-csi2_ch{number}", index=number)
    (camera,) = find_cameras(made_system(made.root))
    assert (camera.device, camera.kind) == ("picamera:0", "ribbon")


class TestNone:
    def test_a_board_without_a_camera_cannot_run_the_loop(self, made: MadeBoard) -> None:
        (found,) = check(made_system(made.root))
        assert (found.state, found.text) == ("blocking", "there is no camera")
        assert "plug in a USB camera, or seat the ribbon cable anew" in found.cure
        assert "--source fake:digits" in found.cure

    def test_on_a_pc_that_is_only_a_warning(self, made: MadeBoard) -> None:
        (found,) = check_cameras(made_system(made.root), PC, has_picamera2=False)
        assert found.state == "warning"
        assert "ribbon" not in found.cure

    def test_with_a_network_camera_too(self, made: MadeBoard) -> None:
        (found,) = check(made_system(made.root), is_needed=False)
        assert found.state == "warning"

    @pytest.mark.parametrize(
        ("path", "line"),
        [
            pytest.param("boot/firmware/config.txt", "camera_auto_detect=0", id="switched off"),
            pytest.param("boot/config.txt", "start_x=1", id="the old camera system is on"),
        ],
    )
    def test_the_boards_own_settings_may_be_why(
        self, made: MadeBoard, path: str, line: str
    ) -> None:
        write(made.root / path, f"# comment\ndtparam=audio=on\n{line}\n")
        (found,) = check(made_system(made.root))
        assert f"take '{line}' out of /{path} and restart" in found.cure

    def test_a_setting_that_is_commented_out_is_none(self, made: MadeBoard) -> None:
        write(made.root / "boot/firmware/config.txt", "#camera_auto_detect=0\n")
        (found,) = check(made_system(made.root))
        assert "config.txt" not in found.cure


class TestBusy:
    def test_who_has_it_is_named(self, made: MadeBoard) -> None:
        made.video(0, "webcam")
        made.program(812, "motion", "/dev/video0")
        (found,) = check(made_system(made.root))
        assert found.state == "blocking"
        assert "in use by motion (812), and a camera has one user at a time" in found.text
        assert found.cure == "end that program; see who it is with: sudo fuser -v /dev/video0"

    def test_a_driver_that_says_busy_at_once(self, made: MadeBoard) -> None:
        made.video(0, "webcam")
        (found,) = check(made_system(made.root, opens={"/dev/video0": errno.EBUSY}))
        assert found.state == "blocking"
        assert "in use by a program of another user" in found.text

    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(
                ("/opt/edgecls/venv/bin/python3", "/opt/edgecls/venv/bin/edgecls"), id="script"
            ),
            pytest.param(("python3", "-m", "edgecls", "camera"), id="module"),
        ],
    )
    def test_our_own_loop_is_no_trouble(self, made: MadeBoard, words: tuple[str, ...]) -> None:
        made.video(0, "webcam")
        made.program(700, "edgecls", "/dev/video0", words)
        (found,) = check(made_system(made.root))
        assert found.state == "note"
        assert "edgecls uses it already" in found.text
        assert "sudo systemctl stop edgecls-camera" in found.text

    def test_a_second_camera_that_is_free_makes_it_a_warning(self, made: MadeBoard) -> None:
        made.video(0, "webcam")
        made.video(2, "another")
        made.program(812, "motion", "/dev/video0")
        first, second = check(made_system(made.root))
        assert (first.state, second.state) == ("warning", "ok")


class TestNotOurs:
    def open_as(self, made: MadeBoard, members: str, groups: frozenset[int]) -> Finding:
        node = made.video(0, "webcam")
        number = 4711 if os.geteuid() == 0 else node.stat().st_gid
        if os.geteuid() == 0:
            os.chown(node, 0, number)
        made.groups(f"video:x:{number}:{members}")
        opens = {"/dev/video0": errno.EACCES}
        wanted = frozenset({number}) if groups else frozenset()
        (found,) = check(made_system(made.root, opens=opens, groups=wanted))
        return found

    def test_not_in_its_group(self, made: MadeBoard) -> None:
        found = self.open_as(made, "", frozenset())
        assert found.state == "blocking"
        assert "you are not in the group video" in found.text
        assert found.cure == "sudo usermod -aG video pi, then log out and in again"

    def test_in_its_group_since_after_logging_in(self, made: MadeBoard) -> None:
        found = self.open_as(made, "other,pi", frozenset())
        assert "you joined the group video after you had logged in" in found.text
        assert found.cure == "log out and in again, or restart the board"

    def test_in_its_group_and_still_not(self, made: MadeBoard) -> None:
        found = self.open_as(made, "pi", frozenset({1}))
        assert "though you are in its group" in found.text
        assert "setup.sh" in found.cure


def test_one_that_was_unplugged_a_moment_ago(made: MadeBoard) -> None:
    made.video(0, "webcam")
    (found,) = check(made_system(made.root, opens={"/dev/video0": errno.ENODEV}))
    assert "cannot be opened: No such device" in found.text


class TestRibbon:
    def test_with_picamera2(self, made: MadeBoard) -> None:
        made.video(0, "unicam-image")
        (found,) = check(made_system(made.root), has_picamera2=True)
        assert (found.state, found.text) == ("ok", "picamera:0 (unicam-image)")

    def test_without(self, made: MadeBoard) -> None:
        made.video(0, "unicam-image")
        (found,) = check(made_system(made.root))
        assert found.state == "blocking"
        assert "needs picamera2" in found.text

    def test_in_use_by_another_program(self, made: MadeBoard) -> None:
        for number in range(4):
            made.video(number, f"rp1-cfe-csi2_ch{number}")
        made.program(900, "rpicam-vid", "/dev/video2")
        (found,) = check(made_system(made.root), has_picamera2=True)
        assert found.state == "blocking"
        assert "picamera:0 (rp1-cfe-csi2_ch2): in use by rpicam-vid (900)" in found.text

    def test_without_but_beside_a_webcam(self, made: MadeBoard) -> None:
        made.video(0, "unicam-image")
        made.video(1, "webcam")
        webcam, ribbon = check(made_system(made.root))
        assert (webcam.state, ribbon.state) == ("ok", "warning")
