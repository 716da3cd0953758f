"""Where the dynamic linker would find a library."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.runtimes.linker import find_library

NAME = "libedgetpu.so.1"


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    "place",
    ["usr/lib/aarch64-linux-gnu", "usr/lib/arm-linux-gnueabihf", "lib", "usr/local/lib"],
)
def test_where_systems_keep_libraries(tmp_path: Path, place: str) -> None:
    library = put(tmp_path / place / NAME)
    assert find_library(NAME, tmp_path, {}) == library


def test_where_the_linkers_settings_say(tmp_path: Path) -> None:
    put(tmp_path / "etc/ld.so.conf.d/coral.conf").write_text("# Coral\n/opt/coral/lib\n")
    library = put(tmp_path / "opt/coral/lib" / NAME)
    assert find_library(NAME, tmp_path, {}) == library


def test_where_the_environment_says(tmp_path: Path) -> None:
    library = put(tmp_path / "mine" / NAME)
    assert (
        find_library(NAME, tmp_path, {"LD_LIBRARY_PATH": f"/nowhere:{library.parent}"}) == library
    )


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    library = put(tmp_path / NAME)
    assert find_library(str(library), tmp_path, {}) == library
    assert find_library(str(tmp_path / "other.so"), tmp_path, {}) is None


def test_nowhere(tmp_path: Path) -> None:
    assert find_library(NAME, tmp_path, {}) is None


def test_the_c_library_of_this_machine_is_found() -> None:
    assert find_library("libc.so.6") is not None
