"""Profiles of boards: found by what the kernel says, read strictly, and defaults that suit."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from edgecls.errors import EdgeclsError, InvalidValueError
from edgecls.profile import (
    GENERIC,
    Profile,
    choose_profile,
    find_profile,
    known_profiles,
    load_profile,
    parse_profile,
)
from edgecls.profile.board import Board

DEVICES = Path(__file__).parents[2] / "devices"
CORAL = frozenset({"1d6b:0003", "18d1:9302"})


class TestFiles:
    def test_every_board_of_the_checkout_has_one(self) -> None:
        boards = [path.parent.name for path in DEVICES.glob("*/profile.toml")]
        assert sorted(boards) == known_profiles()
        assert set(boards) == {
            "raspberry-pi-zero-2-w",
            "raspberry-pi-3b-plus",
            "raspberry-pi-4b",
            "raspberry-pi-5",
            "coral-usb",
            "coral-dev-board-mini",
            "linux",
        }

    @pytest.mark.parametrize("name", known_profiles())
    def test_the_package_carries_the_checkouts(self, name: str) -> None:
        ours = (DEVICES / name / "profile.toml").read_text()
        assert parse_profile(ours, "profile.toml", name) == load_profile(name)

    @pytest.mark.parametrize("name", known_profiles())
    def test_it_can_be_loaded_and_shown(self, name: str) -> None:
        profile = load_profile(name)
        assert profile.to_json()["name"] == str(profile) == name

    def test_nothing_is_read_for_a_pc_and_it_is_as_its_file_says(self) -> None:
        assert find_profile(Board()) == load_profile(GENERIC)

    @pytest.mark.parametrize("name", known_profiles())
    def test_large_models_leave_a_core_for_the_camera(self, name: str) -> None:
        profile = load_profile(name)
        assert profile.large_threads < max(2, profile.cores)


# What /proc/device-tree/model says. Source: the kernel's and the firmware's device trees.
BOARDS = [
    pytest.param("Raspberry Pi Zero 2 W Rev 1.0", "raspberry-pi-zero-2-w", id="Zero 2 W"),
    pytest.param("Raspberry Pi 3 Model B Rev 1.2", "raspberry-pi-3b-plus", id="3B"),
    pytest.param("Raspberry Pi 3 Model B Plus Rev 1.3", "raspberry-pi-3b-plus", id="3B+"),
    pytest.param("Raspberry Pi 4 Model B Rev 1.4", "raspberry-pi-4b", id="4B"),
    pytest.param("Raspberry Pi 400 Rev 1.0", "raspberry-pi-4b", id="400"),
    pytest.param("Raspberry Pi Compute Module 4 Rev 1.1", "raspberry-pi-4b", id="CM4"),
    pytest.param("Raspberry Pi 5 Model B Rev 1.0", "raspberry-pi-5", id="5"),
    pytest.param("Raspberry Pi 500 Rev 1.0", "raspberry-pi-5", id="500"),
    pytest.param("Google Coral MT8167", "coral-dev-board-mini", id="Coral Dev Board Mini"),
    pytest.param("Raspberry Pi Model B Plus Rev 1.2", GENERIC, id="a board before the 64-bit ones"),
    pytest.param("Radxa ROCK 5B", GENERIC, id="a board that nobody knows"),
    pytest.param("", GENERIC, id="a PC, which has no device tree"),
]


class TestDetection:
    @pytest.mark.parametrize(("model", "name"), BOARDS)
    def test_a_board_is_known_by_its_device_tree(self, model: str, name: str) -> None:
        assert find_profile(Board(model)).key == name

    @pytest.mark.parametrize(
        "usb",
        [
            pytest.param("1a6e:089a", id="before its firmware is loaded"),
            pytest.param("18d1:9302", id="after that"),
        ],
    )
    def test_a_coral_stick_is_laid_over_its_board(self, usb: str) -> None:
        found = find_profile(Board("Raspberry Pi 4 Model B Rev 1.4", usb=frozenset({usb})))
        assert str(found) == "raspberry-pi-4b with coral-usb"
        assert (found.device, found.has_edge_tpu) == ("usb:0", True)
        assert found.large_threads == load_profile("raspberry-pi-4b").large_threads

    def test_a_pc_with_a_coral_stick_is_no_longer_nothing_special(self) -> None:
        found = find_profile(Board(usb=CORAL))
        assert str(found) == "linux with coral-usb"
        assert not found.is_generic

    def test_the_edge_tpu_of_a_dev_board_is_its_own(self) -> None:
        found = find_profile(Board("Google Coral MT8167", usb=CORAL))
        assert str(found) == "coral-dev-board-mini"

    def test_the_users_choice_counts_more(self) -> None:
        board = Board("Raspberry Pi 4 Model B Rev 1.4")
        assert choose_profile("raspberry-pi-5", board).key == "raspberry-pi-5"
        assert choose_profile(None, board).key == "raspberry-pi-4b"

    def test_a_chosen_stick_is_laid_over_what_was_detected(self) -> None:
        found = choose_profile("coral-usb", Board("Raspberry Pi 5 Model B Rev 1.0", usb=CORAL))
        assert str(found) == "raspberry-pi-5 with coral-usb"

    def test_an_unknown_name_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(InvalidValueError, match="no profile 'pi-6'") as told:
            load_profile("pi-6")
        assert "raspberry-pi-5" in told.value.hint
        assert ".toml" in told.value.hint


PI = Profile("pi", "Pi", large_threads=3, large_mb=2.0, most_mb=6.0, most_input=(224, 224))


class TestDefaults:
    @pytest.mark.parametrize(
        ("megabytes", "cores", "threads"),
        [
            pytest.param(0.1, 4, 1, id="a small model gains nothing from a second thread"),
            pytest.param(2.0, 4, 3, id="a large one does"),
            pytest.param(2.0, 2, 2, id="never more than there are cores"),
            pytest.param(0.1, 1, 1, id="one core"),
        ],
    )
    def test_threads(self, megabytes: float, cores: int, threads: int) -> None:
        assert PI.threads_for(int(megabytes * 1e6), cores) == threads

    @pytest.mark.parametrize(
        ("source", "has_ribbon_camera", "expected"),
        [
            pytest.param("auto", True, "picamera:0", id="a ribbon camera is attached"),
            pytest.param("auto", False, "0", id="none is"),
            pytest.param("/dev/video2", True, "/dev/video2", id="the profile says which"),
        ],
    )
    def test_source(self, source: str, has_ribbon_camera: bool, expected: str) -> None:
        profile = Profile("pi", "Pi", source=source)
        assert profile.source_on(Board(has_ribbon_camera=has_ribbon_camera)) == expected

    @pytest.mark.parametrize(
        ("megabytes", "size", "told"),
        [
            pytest.param(5.0, (224, 224), [], id="EfficientNet-Lite0 suits"),
            pytest.param(7.0, (224, 224), ["7.0 MB are more than makes sense"], id="too large"),
            pytest.param(
                1.0, (240, 320), ["images of 320x240 are larger than makes sense"], id="too fine"
            ),
            pytest.param(
                7.0, (300, 300), ["7.0 MB are more", "images of 300x300 are larger"], id="both"
            ),
        ],
    )
    def test_doubts(self, megabytes: float, size: tuple[int, int], told: list[str]) -> None:
        doubts = PI.doubts(int(megabytes * 1e6), size)
        assert len(doubts) == len(told)
        assert all(words in doubt for words, doubt in zip(told, doubts, strict=True))


GOOD = (DEVICES / "raspberry-pi-4b/profile.toml").read_text()


def line_of(text: str, begin: str) -> int:
    """The number of the line that begins so."""
    (number,) = (n for n, line in enumerate(text.splitlines(), 1) if line.startswith(begin))
    return number


@pytest.mark.fault(79)
class TestStrictness:
    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            pytest.param("cores = 4", "cpus = 4", "unknown key 'cpus'", id="unknown key"),
            pytest.param(
                "small = 1", "tiny = 1", r"unknown key 'tiny' in \[threads\]", id="in a table"
            ),
            pytest.param(
                "cores = 4", 'cores = "4"', "'cores' is '4', wanted a whole number", id="a text"
            ),
            pytest.param(
                "cores = 4", "cores = true", "'cores' is True, wanted a whole number", id="a bool"
            ),
            pytest.param(
                "large_mb = 2.0", "large_mb = nan", "'large_mb' is nan, wanted a number", id="NaN"
            ),
            pytest.param(
                "large_mb = 2.0", "large_mb = inf", "'large_mb' is inf, wanted a number", id="inf"
            ),
            pytest.param(
                "large_mb = 2.0", "large_mb = -1", "'large_mb' is -1, wanted 0", id="below zero"
            ),
            pytest.param("small = 1", "small = 0", "'small' is 0, wanted 1 to 64", id="no thread"),
            pytest.param(
                "has_usb3 = true", "has_usb3 = 1", "'has_usb3' is 1, wanted true or false", id="1"
            ),
            pytest.param(
                'size = "640x480"',
                'size = "640"',
                "'size' is '640', wanted WIDTHxHEIGHT",
                id="size",
            ),
            pytest.param(
                'size = "640x480"',
                'size = "0x480"',
                "'size' is '0x480', wanted WIDTH",
                id="no width",
            ),
            pytest.param(
                'pixel_format = "auto"',
                'pixel_format = "H264"',
                "'pixel_format' is 'H264', wanted auto, MJPG, YUYV",
                id="pixel format",
            ),
            pytest.param(
                'device = "none"',
                'device = "gpu"',
                "'device' is 'gpu', wanted none or usb:0",
                id="device",
            ),
            pytest.param(
                'device = "none"',
                'performance = "Turbo"',
                "'performance' is 'Turbo', wanted Low",
                id="performance",
            ),
        ],
    )
    def test_a_wrong_key_or_value_is_told_with_its_line(
        self, old: str, new: str, problem: str
    ) -> None:
        wrong = GOOD.replace(old, new, 1)
        line = line_of(wrong, new)
        with pytest.raises(InvalidValueError, match=rf"^board\.toml, line {line}: {problem}"):
            parse_profile(wrong, "board.toml", "board")

    def test_a_list_of_something_else_is_refused(self) -> None:
        with pytest.raises(InvalidValueError, match=r"line 2: 'detect' is .*wanted a list"):
            parse_profile('name = "x"\ndetect = [1]\n', "board.toml", "board")

    def test_a_table_that_is_none_is_refused(self) -> None:
        with pytest.raises(InvalidValueError, match=r"'camera' is 1, wanted a \[camera\] table"):
            parse_profile('name = "x"\ncamera = 1\n', "board.toml", "board")

    def test_what_is_no_toml_is_told_with_its_line(self) -> None:
        with pytest.raises(InvalidValueError, match=r"board\.toml is not TOML: .*line 2"):
            parse_profile('name = "x"\ncores = \n', "board.toml", "board")

    def test_a_name_is_needed(self) -> None:
        with pytest.raises(InvalidValueError, match="has no 'name'"):
            parse_profile("cores = 4\n", "board.toml", "board")

    def test_all_else_has_defaults(self) -> None:
        assert parse_profile('name = "x"\n', "board.toml", "board") == Profile("board", "x")


class TestOwnFile:
    def test_a_file_of_ones_own(self, tmp_path: Path) -> None:
        (tmp_path / "mine.toml").write_text('name = "Mine"\n[threads]\nlarge = 2\n')
        profile = load_profile(str(tmp_path / "mine.toml"))
        assert (profile.name, profile.large_threads) == ("Mine", 2)

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(EdgeclsError, match="there is no file"):
            load_profile(str(tmp_path / "mine.toml"))

    def test_one_that_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(InvalidValueError, match="is not UTF-8"):
            load_profile(str(tmp_path / "mine.toml"))

    def test_one_with_a_byte_order_mark(self, tmp_path: Path) -> None:
        (tmp_path / "mine.toml").write_bytes(b'\xef\xbb\xbfname = "Mine"\n')
        assert load_profile(str(tmp_path / "mine.toml")).name == "Mine"


@pytest.mark.parametrize("name", known_profiles())
def test_the_files_say_nothing_twice(name: str) -> None:
    found: dict[str, Any] = tomllib.loads((DEVICES / name / "profile.toml").read_text())
    assert found["name"]
    assert not ("usb" in found and "detect" in found)
