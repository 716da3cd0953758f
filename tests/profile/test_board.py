"""The board as the kernel shows it, from folders as boards have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.profile.board import Board, read_board
from edgecls.profile.devices import find_users
from edgecls.profile.firmware import read_throttled, say_throttled
from tests.support.made_board import MadeBoard, write


def test_a_pi_with_a_ribbon_camera_and_a_stick(tmp_path: Path) -> None:
    made = MadeBoard(tmp_path)
    made.device_tree("Raspberry Pi 4 Model B Rev 1.4")
    made.memory(total_kb=3_884_296, available_kb=3_300_000)
    made.cores(4)
    made.video(0, "unicam-image")
    made.usb("2-1", "18d1", "9302", speed="5000")
    assert read_board(tmp_path) == Board(
        model="Raspberry Pi 4 Model B Rev 1.4",
        memory_mb=3793,
        free_mb=3222,
        cores=4,
        usb=frozenset({"18d1:9302"}),
        has_ribbon_camera=True,
    )


@pytest.mark.parametrize(
    ("name", "is_ribbon"),
    [
        pytest.param("unicam", True, id="up to the Pi 4"),
        pytest.param("rp1-cfe-csi2_ch0", True, id="Pi 5"),
        pytest.param("HD Pro Webcam C920", False, id="a webcam"),
        pytest.param("bcm2835-isp-output0", False, id="an image processor"),
    ],
)
def test_a_ribbon_camera_is_known_by_its_driver(tmp_path: Path, name: str, is_ribbon: bool) -> None:
    MadeBoard(tmp_path).video(0, name)
    assert read_board(tmp_path).has_ribbon_camera == is_ribbon


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    board = read_board(tmp_path)
    assert (board.model, board.memory_mb, board.free_mb) == ("", 0, 0)
    assert board.cores >= 1


def test_this_machine_has_memory() -> None:
    assert read_board().memory_mb > 64


@pytest.mark.parametrize(
    ("answer", "file", "bits"),
    [
        pytest.param("throttled=0x50005\n", "", 0x50005, id="vcgencmd answers"),
        pytest.param("", "50000", 0x50000, id="only the kernel's file"),
        pytest.param("throttled=0x0\n", "50005", 0, id="vcgencmd counts more"),
        pytest.param("VCHI initialization failed", "", None, id="vcgencmd may not ask"),
        pytest.param("", "", None, id="no firmware of a Pi"),
    ],
)
def test_the_firmwares_answer(tmp_path: Path, answer: str, file: str, bits: int | None) -> None:
    if file:
        write(tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled", file)
    assert read_throttled(tmp_path, answer) == bits


@pytest.mark.parametrize(
    ("bits", "now", "past"),
    [
        pytest.param(0, [], [], id="all is well"),
        pytest.param(0x1, ["the voltage is too low"], [], id="under-voltage now"),
        pytest.param(0x10000, [], ["the voltage is too low"], id="under-voltage some time ago"),
        pytest.param(0x10001, ["the voltage is too low"], [], id="now, which was so before, too"),
        pytest.param(
            0x50005,
            ["the voltage is too low", "the processor is slowed down"],
            [],
            id="the weak power supply that everybody knows",
        ),
        pytest.param(
            0xE0008,
            ["it is so hot that the clock is lowered"],
            ["the clock is held down", "the processor is slowed down"],
            id="heat",
        ),
    ],
)
def test_the_bits_in_words(bits: int, now: list[str], past: list[str]) -> None:
    assert say_throttled(bits) == (now, past)


def test_who_has_a_device_open(tmp_path: Path) -> None:
    MadeBoard(tmp_path).program(812, "motion", "/dev/video0")
    assert find_users("/dev/video0", tmp_path / "proc") == ("motion (812)",)
    assert find_users("/dev/video1", tmp_path / "proc") == ()
