"""A cache that is whole after a crash, bounded, and shared by processes: `edgecls_train.cache`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgecls.errors import EdgeclsError, InvalidValueError
from edgecls_train.cache import Cache, cached_arrays, default_cache

ROWS = np.arange(12, dtype=np.int32).reshape(6, 2)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", limit_bytes=1 << 20)


def write(cache: Cache, key: str, rows: np.ndarray = ROWS) -> None:
    with cache.write(key) as entry:
        entry.append("rows", rows)


def names(cache: Cache) -> list[str]:
    return sorted(path.name for path in cache.root.iterdir())


def test_what_was_written_is_read_back_read_only_and_mapped(cache):
    with cache.write("key") as entry:
        entry.append("rows", ROWS[:4])
        entry.append("rows", ROWS[4:])
        entry.allocate("filled", (2, 3), np.float16)[:] = 0.5
        entry.append("empty", np.empty((0, 7), np.uint8))
    arrays = cache.load("key")
    assert arrays["rows"].tolist() == ROWS.tolist()
    assert arrays["rows"].dtype == np.int32
    assert arrays["filled"].tolist() == [[0.5] * 3] * 2
    assert arrays["empty"].shape == (0, 7)
    assert not arrays["rows"].flags.writeable
    assert isinstance(arrays["rows"].base, np.memmap)


def test_what_was_never_written_is_not_there(cache):
    assert cache.load("key") is None
    assert not cache.has("k")


def write_and_fail(entry) -> None:
    entry.append("rows", ROWS)
    raise KeyboardInterrupt


def test_a_block_that_fails_leaves_nothing(cache):
    with pytest.raises(KeyboardInterrupt), cache.write("key") as entry:
        write_and_fail(entry)
    assert cache.load("key") is None
    assert names(cache) == []


def test_rows_must_fit_each_other(cache):
    with cache.write("key") as entry:
        entry.append("rows", ROWS)
        with pytest.raises(InvalidValueError, match="do not fit"):
            entry.append("rows", ROWS.astype(np.int64))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [cut_off, change_a_byte, remove])
@pytest.mark.parametrize("file", ["rows", "entry.json"])
def test_a_damaged_entry_is_not_used_and_can_be_written_anew(cache, damage, file):
    write(cache, "key")
    damage(cache.root / "key" / file)
    assert cache.load("key") is None
    write(cache, "key")
    assert cache.load("key")["rows"].tolist() == ROWS.tolist()


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from edgecls_train.cache import Cache
with Cache(Path(sys.argv[1]), 1 << 20).write("key") as entry:
    entry.append("rows", np.zeros((100, 100)))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_swept_by_the_next_writer(cache):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(cache.root)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(names(cache)) == 1
    assert cache.load("key") is None
    write(cache, "other")
    assert names(cache) == ["other"]


def test_two_writers_of_one_entry_do_not_disturb_each_other(cache):
    with cache.write("key") as first, cache.write("key") as second:
        first.append("rows", ROWS)
        second.append("rows", ROWS)
    assert cache.load("key")["rows"].tolist() == ROWS.tolist()
    assert names(cache) == ["key"]


def test_what_was_used_longest_ago_goes_first(tmp_path):
    size = ROWS.nbytes + 200  # with its index
    cache = Cache(tmp_path, limit_bytes=2 * size)
    for age, key in ((30, "old"), (20, "older but used")):
        write(cache, key)
        os.utime(tmp_path / key, (1_000_000 - age, 1_000_000 - age))
    cache.load("older but used")
    os.utime(tmp_path / "old", (999_999, 999_999))
    write(cache, "new")
    assert names(cache) == ["new", "older but used"]


def test_an_entry_above_the_limit_stays_until_the_next_one(tmp_path):
    cache = Cache(tmp_path, limit_bytes=1)
    write(cache, "first")
    assert names(cache) == ["first"]
    write(cache, "second")
    assert names(cache) == ["second"]


def test_arrays_stay_readable_when_their_entry_is_removed(tmp_path):
    cache = Cache(tmp_path, limit_bytes=1)
    write(cache, "first")
    rows = cache.load("first")["rows"]
    write(cache, "second")
    assert rows.tolist() == ROWS.tolist()


def test_a_full_disk_says_so_and_leaves_nothing(cache):
    too_much = (1 << 62,)
    with (
        pytest.raises(EdgeclsError, match="cannot be written") as full,
        cache.write("key") as entry,
    ):
        entry.allocate("rows", too_much, np.uint8)
    assert "EDGECLS_CACHE" in full.value.hint
    assert names(cache) == []


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def write_rows(cache: Cache, kilobytes: int, times: int) -> None:
    with cache.write("key") as entry:
        for _ in range(times):
            entry.append("rows", np.zeros((kilobytes, 1 << 10), np.uint8))


@pytest.mark.fault(164)
@pytest.mark.parametrize("kilobytes", [1, 5, 100, 300])
def test_a_disk_that_fills_up_row_by_row_names_the_folder_and_the_variable(small_disk, kilobytes):
    with pytest.raises(EdgeclsError) as full:
        write_rows(Cache(small_disk, limit_bytes=1 << 30), kilobytes, 1 + 600 // kilobytes)
    assert full.value.problem.startswith(f"the cache '{small_disk}' cannot be written: No space")
    assert "EDGECLS_CACHE" in full.value.hint
    assert list(small_disk.iterdir()) == []


def test_a_place_that_is_no_folder_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeclsError, match="cannot be written: Not a directory"):
        write(Cache(tmp_path / "file" / "cache", 1), "key")


@pytest.mark.parametrize(
    ("variables", "root", "limit_bytes"),
    [
        pytest.param({"EDGECLS_CACHE": "/a"}, "/a", 20_000_000_000, id="named"),
        pytest.param({"XDG_CACHE_HOME": "/x"}, "/x/edgecls", 20_000_000_000, id="of the desktop"),
        pytest.param({"HOME": "/h"}, "/h/.cache/edgecls", 20_000_000_000, id="of the user"),
        pytest.param(
            {"EDGECLS_CACHE": "/a", "EDGECLS_CACHE_GB": "0.5"}, "/a", 500_000_000, id="small"
        ),
    ],
)
def test_the_cache_of_a_user(variables, root, limit_bytes, monkeypatch):
    for name in ("EDGECLS_CACHE", "XDG_CACHE_HOME", "EDGECLS_CACHE_GB"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_cache() == Cache(Path(root), limit_bytes)


@pytest.mark.parametrize("text", ["0", "-1", "much", "nan", "inf"])
def test_a_limit_is_a_positive_number(text, monkeypatch):
    monkeypatch.setenv("EDGECLS_CACHE_GB", text)
    with pytest.raises(InvalidValueError, match=f"EDGECLS_CACHE_GB is '{text}'"):
        default_cache()


def test_arrays_are_computed_once(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECLS_CACHE", str(tmp_path))
    calls = []

    def fill(arrays):
        calls.append(len(arrays))
        arrays[0][:] = 1.5
        arrays[1][:] = 7

    wanted = [((2, 2), np.float32), ((3,), np.uint8)]
    for _ in range(2):
        halves, sevens = cached_arrays("key", wanted, fill)
        assert halves.tolist() == [[1.5, 1.5], [1.5, 1.5]]
        assert sevens.tolist() == [7, 7, 7]
    assert calls == [2]
