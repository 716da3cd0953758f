"""Packages and engines: every trap is found, and says how to get out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.doctor.finding import Finding
from edgecls.doctor.software import (
    check_bits,
    check_engine,
    check_opencv,
    check_picamera2,
    check_processor_list,
)
from edgecls.doctor.system import Ran
from tests.support.made_board import MadeBoard, write
from tests.support.made_system import PACKAGES, made_python, made_system

OLD_ENGINE = {**PACKAGES, "ai-edge-litert": None, "tflite-runtime": "2.14.0", "numpy": "1.26.4"}


def only(findings: object) -> Finding:
    (found,) = findings  # type: ignore[misc]
    assert isinstance(found, Finding)
    return found


class TestBits:
    @pytest.mark.parametrize(
        ("machine", "bits", "codename", "number", "state", "words"),
        [
            pytest.param(
                "aarch64", "64", "trixie", 13, "ok", "64 bits, trixie", id="64-bit Trixie"
            ),
            pytest.param(
                "aarch64",
                "32",
                "trixie",
                13,
                "blocking",
                "a 32-bit system on a 64-bit kernel, trixie: no engine can be installed",
                id="32-bit Trixie, whose kernel has 64",
            ),
            pytest.param(
                "armv7l",
                "32",
                "trixie",
                13,
                "blocking",
                "a 32-bit system, trixie: no engine can be installed",
                id="32-bit Trixie",
            ),
            pytest.param(
                "aarch64",
                "32",
                "bookworm",
                12,
                "warning",
                "only tflite-runtime runs here",
                id="32-bit Bookworm",
            ),
            pytest.param(
                "armv6l",
                "32",
                "bookworm",
                12,
                "blocking",
                "32-bit processor (ARMv6), for which there is no engine",
                id="a board of the first generation",
            ),
        ],
    )
    def test_systems(
        self,
        tmp_path: Path,
        machine: str,
        bits: str,
        codename: str,
        number: int,
        state: str,
        words: str,
    ) -> None:
        MadeBoard(tmp_path).release(codename, number)
        answers = {"uname": Ran(0, f"{machine}\n"), "getconf": Ran(0, f"{bits}\n")}
        python = made_python(bits=int(bits))
        found = only(check_bits(made_system(tmp_path, answers, python=python)))
        assert found.state == state
        assert words in found.text

    def test_the_cure_is_the_64_bit_system(self, tmp_path: Path) -> None:
        MadeBoard(tmp_path).release("trixie", 13)
        system = made_system(tmp_path, {"getconf": Ran(0, "32\n")}, python=made_python(bits=32))
        assert "put the 64-bit Raspberry Pi OS on the card" in only(check_bits(system)).cure

    def test_a_32_bit_python_on_a_64_bit_system(self, tmp_path: Path) -> None:
        MadeBoard(tmp_path).release("bookworm", 12)
        found = only(check_bits(made_system(tmp_path, python=made_python(bits=32))))
        assert found.text.startswith("a 32-bit Python on a 64-bit system")

    def test_without_getconf_the_python_tells(self, tmp_path: Path) -> None:
        MadeBoard(tmp_path).release("trixie", 13)
        system = made_system(tmp_path, {"getconf": Ran(None)}, python=made_python(bits=32))
        assert only(check_bits(system)).state == "blocking"


class TestEngine:
    def test_litert(self, tmp_path: Path) -> None:
        found = only(check_engine(made_system(tmp_path)))
        assert (found.state, found.text) == ("ok", "ai-edge-litert 2.3.0")

    def test_none(self, tmp_path: Path) -> None:
        packages = {**PACKAGES, "ai-edge-litert": None}
        found = only(check_engine(made_system(tmp_path, python=made_python(packages))))
        assert (found.state, found.cure) == ("blocking", "pip install ai-edge-litert")

    def test_none_on_32_bits(self, tmp_path: Path) -> None:
        packages = {**PACKAGES, "ai-edge-litert": None}
        found = only(check_engine(made_system(tmp_path, python=made_python(packages, bits=32))))
        assert found.cure == "pip install 'tflite-runtime>=2.14' 'numpy<2' (Python up to 3.11)"

    def test_tflite_runtime_with_numpy_2(self, tmp_path: Path) -> None:
        packages = {**OLD_ENGINE, "numpy": "2.1.0"}
        found = only(check_engine(made_system(tmp_path, python=made_python(packages))))
        assert found.state == "blocking"
        assert "tflite-runtime 2.14.0 does not work with numpy 2.1.0" in found.text
        assert found.cure.startswith("pip install 'numpy<2'")

    def test_beside_litert_that_is_only_a_warning(self, tmp_path: Path) -> None:
        packages = {**PACKAGES, "tflite-runtime": "2.14.0"}
        first, second = check_engine(made_system(tmp_path, python=made_python(packages)))
        assert (first.state, first.cure) == ("warning", "pip uninstall tflite-runtime")
        assert second.state == "ok"

    def test_tflite_runtime_with_numpy_1_is_slow_where_litert_could_be(
        self, tmp_path: Path
    ) -> None:
        found = only(check_engine(made_system(tmp_path, python=made_python(OLD_ENGINE))))
        assert (found.state, found.cure) == ("warning", "pip install ai-edge-litert")
        assert "ten times slower" in found.text

    def test_tflite_runtime_on_32_bits_is_what_there_is(self, tmp_path: Path) -> None:
        system = made_system(tmp_path, python=made_python(OLD_ENGINE, bits=32))
        assert only(check_engine(system)).state == "ok"

    def test_a_c_library_that_is_too_old(self, tmp_path: Path) -> None:
        said = "Traceback ...\nImportError: libc.so.6: version `GLIBC_2.34' not found"
        answers = {"import ai_edge_litert.interpreter": Ran(1, said)}
        found = only(check_engine(made_system(tmp_path, answers)))
        assert found.state == "blocking"
        assert "version `GLIBC_2.34' not found" in found.text
        assert "Debian 12 (Bookworm) or later" in found.cure

    def test_an_engine_that_crashes(self, tmp_path: Path) -> None:
        answers = {"import ai_edge_litert.interpreter": Ran(-11)}
        found = only(check_engine(made_system(tmp_path, answers)))
        assert "it crashes (signal 11)" in found.text
        assert "setup.sh" in found.cure


class TestProcessorList:
    def test_a_container_without_sys(self, tmp_path: Path) -> None:
        found = only(check_processor_list(made_system(tmp_path)))
        assert found.state == "warning"
        assert "LiteRT does not know the processor" in found.text

    def test_a_board(self, tmp_path: Path) -> None:
        write(tmp_path / "sys/devices/system/cpu/possible", "0-3\n")
        assert list(check_processor_list(made_system(tmp_path))) == []

    def test_a_pc_needs_none(self, tmp_path: Path) -> None:
        system = made_system(tmp_path, {"uname": Ran(0, "x86_64\n")})
        assert list(check_processor_list(system)) == []


class TestOpenCv:
    def test_it_loads(self, tmp_path: Path) -> None:
        assert only(check_opencv(made_system(tmp_path))).state == "ok"

    @pytest.mark.parametrize(
        ("said", "cure"),
        [
            pytest.param(
                "ImportError: libGL.so.1: cannot open shared object file",
                "sudo apt install libgl1 libglib2.0-0",
                id="libGL, which the wheel leaves to the system",
            ),
            pytest.param(
                "ImportError: libgthread-2.0.so.0: cannot open shared object file",
                "sudo apt install libglib2.0-0",
                id="glib",
            ),
            pytest.param(
                "ModuleNotFoundError: No module named 'cv2'", "pip install opencv-python", id="cv2"
            ),
            pytest.param(
                "ImportError: numpy.core.multiarray failed to import",
                "pip install --force-reinstall numpy opencv-python",
                id="another numpy",
            ),
        ],
    )
    def test_it_does_not(self, tmp_path: Path, said: str, cure: str) -> None:
        answers = {"import cv2": Ran(1, f"Traceback (most recent call last):\n{said}\n")}
        found = only(check_opencv(made_system(tmp_path, answers)))
        assert (found.state, found.cure) == ("blocking", cure)
        assert said in found.text


class TestPicamera2:
    @pytest.fixture
    def board(self, tmp_path: Path) -> Path:
        """With the system's picamera2."""
        (tmp_path / "usr/lib/python3/dist-packages/picamera2").mkdir(parents=True)
        return tmp_path

    def test_seen(self, board: Path) -> None:
        system = made_system(board, {"import picamera2": Ran(0)})
        assert only(check_picamera2(system, is_wanted=True)).state == "ok"

    def test_invisible_in_the_environment(self, board: Path) -> None:
        said = "ModuleNotFoundError: No module named 'picamera2'"
        system = made_system(board, {"import picamera2": Ran(1, said)})
        found = only(check_picamera2(system, is_wanted=True))
        assert "this environment does not see it" in found.text
        assert found.cure == "python3 -m venv --system-site-packages /opt/edgecls/venv"

    @pytest.mark.parametrize(
        "said",
        [
            "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected"
            " 96 from C header, got 88 from PyObject",
            "ImportError: numpy.core.multiarray failed to import",
        ],
        ids=["built for numpy 2", "built for numpy 1"],
    )
    def test_built_for_another_numpy(self, board: Path, said: str) -> None:
        system = made_system(board, {"import picamera2": Ran(1, said)})
        found = only(check_picamera2(system, is_wanted=True))
        assert "built for another numpy than 2.4.6" in found.text
        assert "'numpy<2' 'opencv-python<4.12'" in found.cure

    def test_broken_in_another_way(self, board: Path) -> None:
        said = "ImportError: libcamera.so.0.3: cannot open shared object file"
        system = made_system(board, {"import picamera2": Ran(1, said)})
        assert said in only(check_picamera2(system, is_wanted=True)).text

    def test_not_installed_though_a_camera_needs_it(self, tmp_path: Path) -> None:
        found = only(check_picamera2(made_system(tmp_path), is_wanted=True))
        assert found.state == "warning"
        assert "apt install -y --no-install-recommends python3-picamera2" in found.cure

    def test_not_installed_and_not_needed(self, tmp_path: Path) -> None:
        assert list(check_picamera2(made_system(tmp_path), is_wanted=False)) == []
