"""Files appear whole or not at all, and reading one never waits."""

from __future__ import annotations

import contextlib
import os
import resource
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgecls.contract.files import read_regular_file, write_atomically, write_json
from edgecls.errors import EdgeclsError, PictureError

OLD = b"the old content"


@contextlib.contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """Let the system refuse to write files beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_atomically(tmp_path / "model.tflite", b"new")
    assert (tmp_path / "model.tflite").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["model.tflite"]


def test_an_older_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_reader_that_has_the_older_file_open_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    with open(tmp_path / "a", "rb") as reader:
        write_atomically(tmp_path / "a", b"new")
        assert reader.read() == OLD


def test_a_full_disk_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    with (
        disk_with_room_for(4096),
        pytest.raises(EdgeclsError, match=r"cannot write .*File too large") as refused,
    ):
        write_atomically(tmp_path / "a", bytes(100_000))
    assert "free space" in refused.value.hint
    assert (tmp_path / "a").read_bytes() == OLD
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_is_not_ours_keeps_its_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    tmp_path.chmod(0o555)
    with pytest.raises(EdgeclsError, match=r"cannot write .*Permission denied"):
        write_atomically(tmp_path / "a", b"new")
    tmp_path.chmod(0o755)
    assert (tmp_path / "a").read_bytes() == OLD


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("nowhere/a", "No such file", id="in a folder that is missing"),
        pytest.param("folder", "Is a directory", id="over a folder"),
        pytest.param("x" * 300, "File name too long", id="under an endless name"),
        pytest.param("nul\0name", "null", id="with a NUL in its name"),
    ],
)
def test_a_file_cannot_be_written(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(EdgeclsError, match=f"cannot write .*{message}"):
        write_atomically(tmp_path / name, b"new")
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize(
    ("mask", "mode"),
    [
        pytest.param(0o022, 0o644, id="everyone may read it"),
        pytest.param(0o077, 0o600, id="only the owner, where that is asked for"),
    ],
)
def test_permissions_follow_the_umask(mask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "a", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


@pytest.mark.fault(33)
def test_a_name_that_is_not_utf8_is_a_name(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    write_atomically(path, b"new")
    assert read_regular_file(path, 10, EdgeclsError) == b"new"


def test_json_is_written_with_its_line_break(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"label": "猫"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "label": "猫"\n}\n'


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1 << 20))
    assert len(read_regular_file(tmp_path / "a", 1 << 20, PictureError)) == 1 << 20


def make_fifo(path: Path) -> None:
    """A pipe that nobody writes to."""
    os.mkfifo(path)


def make_large(path: Path) -> None:
    """3 MiB that take no room."""
    with open(path, "wb") as file:
        file.truncate(3 << 20)


def make_loop(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path)


@pytest.mark.fault(36)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(make_fifo, "is a device, pipe or socket, wanted a file", id="a pipe"),
        pytest.param(Path.mkdir, "is a folder, wanted a file", id="a folder"),
        pytest.param(make_large, "has 3 MiB, at most 1 MiB", id="more than the limit"),
        pytest.param(make_loop, "Too many levels of symbolic links", id="a link to itself"),
        pytest.param(Path.exists, "there is no file", id="nothing"),
    ],
)
def test_what_is_no_readable_file_is_refused(
    make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    make(tmp_path / "it")
    with pytest.raises(PictureError, match=message):
        read_regular_file(tmp_path / "it", 1 << 20, PictureError)


@pytest.mark.fault(35)
@pytest.mark.fault(36)
@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("/dev/zero", "is a device, pipe or socket", id="a device without an end"),
        pytest.param("a\0b", "cannot open .*null", id="a NUL in the name"),
        pytest.param("/" + "x" * 300, "File name too long", id="an endless name"),
        pytest.param("/proc/self/mem", "cannot read", id="a file that fails while it is read"),
    ],
)
def test_a_path_is_refused(path: str, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        read_regular_file(Path(path), 1 << 20, PictureError)


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "link").symlink_to("a")
    assert read_regular_file(tmp_path / "link", 100, PictureError) == OLD


@pytest.mark.fault(39)
@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read anything")
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "a").chmod(0)
    with pytest.raises(PictureError, match=r"cannot open .*Permission denied"):
        read_regular_file(tmp_path / "a", 100, PictureError)


@pytest.mark.fault(166)
def test_reading_a_small_file_takes_little_memory_however_large_it_might_be(
    tmp_path: Path,
) -> None:
    (tmp_path / "small").write_bytes(b"x" * 1000)
    tracemalloc.start()
    content = read_regular_file(tmp_path / "small", 1 << 29, EdgeclsError)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert content == b"x" * 1000
    assert most < 200_000


def test_a_file_that_the_kernel_makes_up_is_read_whole() -> None:
    assert b"MemTotal" in read_regular_file(Path("/proc/meminfo"), 1 << 20, EdgeclsError)
