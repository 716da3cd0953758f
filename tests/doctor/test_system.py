"""The door to the machine itself, and what lies behind it here."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from edgecls.doctor import examine, is_local_camera
from edgecls.doctor.system import Ran, run_command, this_system, try_open
from edgecls.profile import load_profile
from tests.support.made_board import MadeBoard
from tests.support.made_system import made_system


class TestCommands:
    def test_what_it_prints_and_how_it_ends(self) -> None:
        program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
        assert run_command((sys.executable, "-c", program)) == Ran(3, "out\nerr\n")

    def test_one_that_is_not_installed(self) -> None:
        ran = run_command(("no-such-command-anywhere",))
        assert (ran.status, ran.is_fine) == (None, False)

    def test_one_that_crashes(self) -> None:
        program = "import os; os.kill(os.getpid(), 11)"
        assert run_command((sys.executable, "-c", program)).status == -11

    def test_bytes_that_are_no_text(self) -> None:
        program = "import sys; sys.stdout.buffer.write(b'\\xff')"
        assert run_command((sys.executable, "-c", program)).output == "\ufffd"

    @pytest.mark.parametrize(
        ("output", "last"),
        [
            pytest.param(
                "Traceback ...\n  File\nImportError: no  luck\n\n",
                "ImportError: no luck",
                id="error",
            ),
            pytest.param("", "", id="nothing"),
        ],
    )
    def test_its_last_words(self, output: str, last: str) -> None:
        assert Ran(1, output).last_line == last


class TestDevices:
    def test_one_that_opens(self) -> None:
        assert try_open(Path("/dev/null")) == 0

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        assert try_open(tmp_path / "video0") == errno.ENOENT

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
    def test_one_that_is_not_ours(self, tmp_path: Path) -> None:
        (tmp_path / "video0").touch(mode=0)
        assert try_open(tmp_path / "video0") == errno.EACCES


class TestThisMachine:
    def test_it_knows_itself(self) -> None:
        system = this_system()
        assert system.python.version == sys.version_info[:2]
        assert system.python.bits == 64
        assert system.python.packages["edgecls"]
        assert os.getegid() in system.groups

    def test_a_package_that_is_not_installed_has_no_version(self) -> None:
        assert this_system().python.major("tflite-runtime-of-nobody") == 0


class TestFiles:
    def test_the_release(self, tmp_path: Path) -> None:
        MadeBoard(tmp_path).release("trixie", 13)
        found = made_system(tmp_path).release()
        assert (found["VERSION_CODENAME"], found["VERSION_ID"]) == ("trixie", "13")

    def test_a_group_and_its_members(self, tmp_path: Path) -> None:
        MadeBoard(tmp_path).groups("root:x:0:", "video:x:44:pi,edgecls")
        assert made_system(tmp_path).group(44) == ("video", ("pi", "edgecls"))

    def test_a_group_that_nobody_knows(self, tmp_path: Path) -> None:
        assert made_system(tmp_path).group(4711) == ("4711", ())


@pytest.mark.parametrize(
    ("source", "is_local"),
    [
        ("0", True),
        ("/dev/video2", True),
        ("picamera:0", True),
        ("rtsp://camera/stream", False),
        ("fake:digits", False),
        ("recording.mp4", False),
    ],
)
def test_which_sources_are_cameras_of_this_machine(source: str, is_local: bool) -> None:
    assert is_local_camera(source) == is_local


def test_a_sound_pi_has_nothing_but_good_news(tmp_path: Path) -> None:
    made = MadeBoard(tmp_path)
    made.device_tree("Raspberry Pi 4 Model B Rev 1.4")
    made.release("trixie", 13)
    made.memory(total_kb=3_884_296, available_kb=3_300_000)
    made.video(0, "HD Pro Webcam C920")
    (tmp_path / "sys/devices/system/cpu").mkdir(parents=True)
    (tmp_path / "sys/devices/system/cpu/possible").touch()
    found = list(examine(made_system(tmp_path), load_profile("raspberry-pi-4b")))
    assert {finding.state for finding in found} == {"ok"}
    assert [finding.check for finding in found] == [
        *("system", "engine", "opencv", "camera", "memory", "voltage"),
    ]


def test_a_neglected_zero_has_every_trap_at_once(tmp_path: Path) -> None:
    made = MadeBoard(tmp_path)
    made.release("trixie", 13)
    made.memory(total_kb=150_000, available_kb=50_000)
    answers = {
        "getconf": Ran(0, "32\n"),
        "vcgencmd": Ran(0, "throttled=0x50005\n"),
        "import cv2": Ran(1, "ImportError: libGL.so.1: cannot open shared object file"),
    }
    found = examine(made_system(tmp_path, answers), load_profile("raspberry-pi-zero-2-w"))
    blocking = [finding.check for finding in found if finding.state == "blocking"]
    assert blocking == ["system", "opencv", "camera", "memory"]


def test_whatever_is_wrong_has_a_cure(tmp_path: Path) -> None:
    MadeBoard(tmp_path).memory(total_kb=150_000, available_kb=50_000)
    answers = {"vcgencmd": Ran(0, "throttled=0xf000f\n"), "import cv2": Ran(1, "?")}
    found = examine(made_system(tmp_path, answers), load_profile("raspberry-pi-5"))
    assert all(each.cure for each in found if each.state in ("warning", "blocking"))
