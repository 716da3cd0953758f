"""Pictures are read once, and again when they change: `edgecls_train.reading`."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.pictures.folder import FolderPictures
from edgecls_train.reading import read_pictures
from tests.train.made_data import PER_SHAPE, write_shapes

SMALL = Preprocessing(size=(24, 16))
TOTAL = 3 * PER_SHAPE


class CountingPictures(FolderPictures):
    """Counts what is read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.calls: Counter[str] = Counter()

    def load_frame(self, index):
        self.calls["decoded"] += 1
        return super().load_frame(index)

    def load_bytes(self, index):
        self.calls["hashed"] += 1
        return super().load_bytes(index)


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECLS_CACHE", str(tmp_path / "cache"))


def read(root: Path, preprocessing=SMALL):
    pictures = CountingPictures(root)
    return read_pictures(pictures, preprocessing), pictures.calls


def settle(root: Path) -> None:
    """As if the files had been written an hour ago; the change of the times itself is just now."""
    for path in root.rglob("*.jpg"):
        os.utime(path, (time.time() - 3600, time.time() - 3600))


def wait_until_settled() -> None:
    time.sleep(2.1)


def test_the_first_reading_decodes_and_later_ones_only_look_at_the_files(shapes):
    wait_until_settled()
    first, calls = read(shapes)
    assert calls == {"decoded": TOTAL, "hashed": TOTAL}
    again, calls = read(shapes)
    assert calls == {}
    assert np.array_equal(again.images, first.images)
    assert again.key == first.key


def test_files_that_are_just_written_are_hashed_again_but_not_decoded(shapes):
    first, _ = read(shapes)
    again, calls = read(shapes)
    assert calls == {"hashed": TOTAL}
    assert again.key == first.key


def test_a_picture_that_changes_is_noticed_though_size_and_mtime_are_set_back(shapes):
    wait_until_settled()
    first, _ = read(shapes)
    path = shapes / "circle" / "00.jpg"
    state = path.stat()
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    again, calls = read(shapes)
    assert calls["decoded"] == TOTAL
    assert again.key != first.key


def test_a_copy_of_the_folder_is_the_same_content(shapes, tmp_path):
    first, _ = read(shapes)
    shutil.copytree(shapes, tmp_path / "copy")
    again, calls = read(tmp_path / "copy")
    assert calls == {"hashed": TOTAL}
    assert again.key == first.key


def test_touched_files_are_the_same_content(shapes):
    first, _ = read(shapes)
    settle(shapes)
    again, calls = read(shapes)
    assert "decoded" not in calls
    assert again.key == first.key


def test_other_settings_are_another_entry(shapes):
    first, _ = read(shapes)
    gray, calls = read(shapes, Preprocessing(size=(24, 16), channels="GRAY"))
    assert calls["decoded"] == TOTAL
    assert gray.images.shape == (TOTAL, 24, 16, 1)
    assert gray.key != first.key


def test_sizes_thumbnails_and_positions_are_those_of_the_readable_pictures(shapes):
    (shapes / "circle" / "01.jpg").write_bytes(b"")
    reading, _ = read(shapes, None)
    assert reading.images is None
    assert reading.readable.tolist() == [0, *range(2, TOTAL)]
    assert reading.thumbnails.shape == (TOTAL - 1, 32, 32, 3)
    assert reading.sizes.tolist() == [[40, 56]] * (TOTAL - 1)
    assert reading.digests.shape == (TOTAL, 32)
    assert list(reading.unreadable) == [1]
    assert "the file is empty" in reading.unreadable[1]


def test_an_unreadable_picture_is_still_named_when_nothing_is_read_anew(shapes):
    (shapes / "circle" / "01.jpg").write_bytes(b"")
    first, _ = read(shapes)
    again, _ = read(shapes)
    assert again.unreadable == first.unreadable


def test_nothing_readable_is_no_crash(shapes):
    for path in shapes.rglob("*.jpg"):
        path.write_bytes(b"")
    reading, _ = read(shapes)
    assert reading.thumbnails.shape == (0, 32, 32, 3)
    assert len(reading.unreadable) == TOTAL


def test_a_damaged_entry_is_made_anew(shapes, tmp_path):
    first, _ = read(shapes)
    images = np.array(first.images)
    path = tmp_path / "cache" / first.key / "images"
    path.write_bytes(path.read_bytes()[:-7])
    again, calls = read(shapes)
    assert calls["decoded"] == TOTAL
    assert np.array_equal(again.images, images)


def test_progress_comes_to_its_end(tmp_path):
    shown = []

    @contextmanager
    def progress(title, total):
        yield lambda done: shown.append((title, done, total))

    pictures = FolderPictures(write_shapes(tmp_path / "few", per_class=3))
    read_pictures(pictures, SMALL, progress=progress)
    assert shown == [("preparing pictures", done, 9) for done in range(1, 10)]
