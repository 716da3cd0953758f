"""What `pip install edgecls` brings to a 64-bit Raspberry Pi OS."""

from __future__ import annotations

import json
import re
import struct
import tomllib

import pytest

from devices.emulator.board import Board
from devices.emulator.root import CHECKOUT, SITE

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]


def installed() -> set[str]:
    """Distributions by the names in their metadata."""
    metadata = [path.read_text("utf-8") for path in SITE.glob("*.dist-info/METADATA")]
    return {re.search(r"^Name: (\S+)", text, re.MULTILINE)[1].lower() for text in metadata}  # type: ignore[index]


def test_pip_installed_what_the_distribution_depends_on() -> None:
    names = {re.match(r"[\w-]+", line)[0] for line in PROJECT["dependencies"]}  # type: ignore[index]
    assert {"edgecls", *names} - {"tflite-runtime"} <= installed()


def test_tensorflow_and_the_workstation_are_not_among_it() -> None:
    workstation = {"tensorflow", "keras", "jax", "torch", "matplotlib", "mlxtend", "pandas"}
    assert installed() & {*workstation, "scipy", "edgecls-train", "edgecls-convert"} == set()


def test_every_library_in_it_is_for_64_bit_arm() -> None:
    machines = {
        path.name: int.from_bytes(path.read_bytes()[18:20], "little")
        for path in SITE.rglob("*.so*")
        if path.read_bytes()[:4] == b"\x7fELF"
    }
    assert len(machines) > 50
    assert set(machines.values()) == {183}  # EM_AARCH64


def test_every_library_can_be_mapped_in_pages_of_16_kib_as_a_pi_5_has_them() -> None:
    narrow = [path.name for path in SITE.rglob("*.so*") if alignment(path.read_bytes()) < 1 << 14]
    assert narrow == []


def alignment(library: bytes) -> int:
    """The smallest alignment of what of a 64-bit library is mapped (PT_LOAD), in bytes."""
    table, size, count = (
        *struct.unpack_from("<Q", library, 32),
        *struct.unpack_from("<HH", library, 54),
    )
    headers = [struct.unpack_from("<I44xQ", library, table + n * size) for n in range(count)]
    return min(aligned for kind, aligned in headers if kind == 1)


def test_it_takes_less_than_300_mb() -> None:
    total = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file())
    assert total < 300e6


def test_the_boards_python_starts_its_version(board: Board) -> None:
    done = board.run("edgecls", "--version")
    assert (done.stdout, done.stderr) == (f"edgecls {PROJECT['version']}\n", "")


def test_doctor_sees_an_arm_board_with_an_engine(pi4: Board) -> None:
    done = pi4.run("edgecls", "doctor", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["system"].endswith(" aarch64")
    assert found["engine"] == "litert"
    assert found["packages"]["tensorflow"] is None


@pytest.mark.parametrize("command", ["train", "convert"])
def test_commands_of_the_workstation_say_where_they_are(pi4: Board, command: str) -> None:
    done = pi4.run("edgecls", command)
    assert done.returncode == 2
    assert f"pip install ./{command}" in done.stderr
