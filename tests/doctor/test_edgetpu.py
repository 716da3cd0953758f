"""Edge TPUs: slow ports, missing libraries, libraries that were built for another engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecls.contract.modelfile import ModelFile, parse_model_file
from edgecls.doctor.edgetpu import check_coral, examine_coral
from edgecls.doctor.finding import Finding
from edgecls.doctor.system import Ran
from edgecls.errors import EngineError, NotInstalledError
from edgecls.profile import load_profile
from edgecls.runtimes.coral import Library
from tests.support.compiled_model import compiled
from tests.support.made_board import MadeBoard
from tests.support.made_system import PACKAGES, made_python, made_system
from tests.support.tiny_model import tiny_model_bytes

PI4 = load_profile("raspberry-pi-4b")
ZERO = load_profile("raspberry-pi-zero-2-w")
# As `edgetpu_version` answers. Source: Coral's issue tracker, and the rebuilt library.
GOOGLES = "BuildLabel(COMPILER=6.3.0 20170516,DATE=redacted,TIME=redacted), RuntimeVersion(14)"
REBUILT = "BuildLabel(N/A), RuntimeVersion(14)"
SEEN = (("usb", "/sys/bus/usb/devices/2-1"),)
OLD_ENGINE = {**PACKAGES, "ai-edge-litert": None, "tflite-runtime": "2.5.0"}

Ask = Callable[[], Library]


def answers(version: str = REBUILT, devices: tuple[tuple[str, str], ...] = SEEN) -> Ask:
    return lambda: Library("libedgetpu.so.1", version, devices)


def fails(wrong: Exception) -> Ask:
    def ask() -> Library:
        raise wrong

    return ask


MISSING = fails(NotInstalledError("the library is not installed", hint="install libedgetpu1-std"))


@pytest.fixture
def made(tmp_path: Path) -> MadeBoard:
    """A board with a stick in a fast port."""
    board = MadeBoard(tmp_path)
    board.usb("2-1", "18d1", "9302", speed="5000")
    return board


@pytest.fixture(scope="module")
def compiled_model() -> ModelFile:
    return parse_model_file(compiled(tiny_model_bytes()), "model_edgetpu.tflite")


def states(findings: object) -> list[str]:
    return [each.state for each in findings]  # type: ignore[attr-defined]


def test_a_stick_and_a_library_that_fit(made: MadeBoard) -> None:
    coral = examine_coral(made_system(made.root), PI4, ask=answers())
    assert coral.problems == ()
    (found,) = check_coral(coral)
    assert (found.state, found.text) == ("ok", "usb 2-1")


def test_neither_stick_nor_library_is_nothing_to_talk_about(tmp_path: Path) -> None:
    coral = examine_coral(made_system(tmp_path), PI4, ask=MISSING)
    assert list(check_coral(coral)) == []


@pytest.mark.parametrize(
    ("vendor", "product"),
    [
        pytest.param("1a6e", "089a", id="before its firmware is loaded"),
        pytest.param("18d1", "9302", id="after that"),
    ],
)
class TestSlowPort:
    def test_on_a_board_with_usb_3(self, tmp_path: Path, vendor: str, product: str) -> None:
        MadeBoard(tmp_path).usb("1-1.2", vendor, product, speed="480")
        coral = examine_coral(made_system(tmp_path), PI4, ask=answers())
        (found,) = check_coral(coral)
        assert found == Finding(
            "edge-tpu",
            "warning",
            "1-1.2: on a USB 2 port (480 Mbit/s)",
            "slower; use a USB 3 port and cable",
        )

    def test_on_a_board_without_it(self, tmp_path: Path, vendor: str, product: str) -> None:
        MadeBoard(tmp_path).usb("1-1", vendor, product, speed="480")
        coral = examine_coral(made_system(tmp_path), ZERO, ask=answers())
        (found,) = check_coral(coral)
        assert (found.state, found.cure) == ("note", "")
        assert "there is no other port on a Raspberry Pi Zero 2 W" in found.text


def test_a_stick_without_a_library(made: MadeBoard) -> None:
    coral = examine_coral(made_system(made.root), PI4, ask=MISSING)
    found = list(check_coral(coral))[-1]
    assert found.text == "there is an Edge TPU and no library for it"
    assert found.cure.startswith("install libedgetpu1-std")


def test_a_library_that_crashes(made: MadeBoard) -> None:
    ask = fails(EngineError("the library crashed (SIGSEGV)", hint="install another"))
    coral = examine_coral(made_system(made.root), PI4, ask=ask)
    assert coral.library is None
    assert coral.problems == ("the library crashed (SIGSEGV): install another",)


class TestBuiltForAnotherEngine:
    @pytest.mark.parametrize(
        ("version", "package", "is_told"),
        [
            pytest.param(GOOGLES, None, True, id="Google's own build, by its label"),
            pytest.param(REBUILT, "16.0", True, id="Google's own build, by its package"),
            pytest.param(REBUILT, "16.0tf2.13.1-2.bookworm", True, id="built for 2.13"),
            pytest.param(REBUILT, "16.0TF2.15.1-1", False, id="built for 2.15"),
            pytest.param(REBUILT, "16.0tf2.19.1-1.trixie", False, id="built for 2.19"),
            pytest.param(REBUILT, None, False, id="nothing tells"),
        ],
    )
    def test_in_litert(
        self, made: MadeBoard, version: str, package: str | None, is_told: bool
    ) -> None:
        known = {"libedgetpu1-std": Ran(0, package)} if package else {}
        coral = examine_coral(made_system(made.root, known), PI4, ask=answers(version))
        assert len(coral.problems) == is_told
        assert all("and crashes in ai-edge-litert 2.3.0" in text for text in coral.problems)

    def test_the_cure_names_a_build_that_fits(self, made: MadeBoard) -> None:
        coral = examine_coral(made_system(made.root), PI4, ask=answers(GOOGLES))
        found = list(check_coral(coral))[-1]
        assert found.text.startswith("libedgetpu.so.1 was built for TensorFlow 2.5 and crashes")
        assert "a build for TensorFlow 2.15 or later" in found.cure

    @pytest.mark.parametrize(
        ("engine", "is_told"),
        [
            pytest.param("2.5.0", False, id="of its own age"),
            pytest.param("2.11.0", False, id="the last that it fits"),
            pytest.param("2.14.0", True, id="a later one"),
        ],
    )
    def test_googles_own_build_in_tflite_runtime(
        self, made: MadeBoard, engine: str, is_told: bool
    ) -> None:
        python = made_python({**OLD_ENGINE, "tflite-runtime": engine})
        system = made_system(made.root, python=python)
        assert len(examine_coral(system, PI4, ask=answers(GOOGLES)).problems) == is_told


class TestCompiledModel:
    def test_it_needs_an_edge_tpu(self, tmp_path: Path, compiled_model: ModelFile) -> None:
        coral = examine_coral(made_system(tmp_path), PI4, compiled_model, ask=answers(devices=()))
        assert states(check_coral(coral)) == ["blocking"]
        assert "there is none: plug it in" in coral.problems[0]

    def test_it_needs_the_library(self, tmp_path: Path, compiled_model: ModelFile) -> None:
        coral = examine_coral(made_system(tmp_path), PI4, compiled_model, ask=MISSING)
        assert states(check_coral(coral)) == ["blocking"]

    def test_it_needs_a_newer_library(self, made: MadeBoard, compiled_model: ModelFile) -> None:
        old = answers("BuildLabel(N/A), RuntimeVersion(12)")
        coral = examine_coral(made_system(made.root), PI4, compiled_model, ask=old)
        assert coral.problems == (
            "model_edgetpu.tflite needs Edge TPU runtime 13, the library is 12",
        )

    def test_a_slow_port_does_not_stop_it(self, tmp_path: Path, compiled_model: ModelFile) -> None:
        MadeBoard(tmp_path).usb("1-1", "18d1", "9302", speed="480")
        coral = examine_coral(made_system(tmp_path), PI4, compiled_model, ask=answers())
        assert states(check_coral(coral)) == ["warning"]
