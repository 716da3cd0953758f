"""Folders of pictures: one folder a class, whatever else lies there."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest

from edgecls.errors import DatasetError, PictureError
from edgecls.imaging.opencv import cv2
from edgecls.pictures import open_pictures
from edgecls.pictures.folder import FolderPictures, find_files, find_pictures, read_picture

PNG = bytes(cv2.imencode(".png", np.full((2, 3, 3), 9, np.uint8))[1])


def fill(root: Path, *names: str) -> Path:
    """Put a small picture under each name."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PNG)
    return root


def found_below(root: Path) -> list[str]:
    """Names of the files that may be pictures."""
    return [path.relative_to(root).as_posix() for path in find_files(root)]


def test_each_folder_is_a_class_in_alphabetical_order(tmp_path: Path) -> None:
    pictures = FolderPictures(fill(tmp_path, "dog/1.png", "cat/2.png", "cat/1.png"))
    assert list(pictures.labels) == ["cat", "dog"]
    assert pictures.names == ("cat/1.png", "cat/2.png", "dog/1.png")
    assert pictures.targets.tolist() == [0, 0, 1]
    assert len(pictures) == 3


def test_a_picture_is_loaded_as_frame_and_as_bytes(tmp_path: Path) -> None:
    pictures = FolderPictures(fill(tmp_path, "a/1.png", "b/1.png"))
    assert pictures.load_frame(1).tolist() == np.full((2, 3, 3), 9).tolist()
    assert pictures.load_bytes(1) == PNG


def test_what_it_was_opened_by_opens_it_again_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "data/a/1.png", "data/b/1.png")
    monkeypatch.chdir(tmp_path)
    origin = open_pictures("data").origin
    monkeypatch.chdir("/")
    assert open_pictures(origin).names == ("a/1.png", "b/1.png")


def test_pictures_may_lie_deeper(tmp_path: Path) -> None:
    pictures = FolderPictures(fill(tmp_path, "a/x/y/1.png", "a/2.png", "b/1.png"))
    assert pictures.names == ("a/2.png", "a/x/y/1.png", "b/1.png")


def test_what_is_hidden_or_beside_a_picture_is_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png", "a/.1.png", "a/.thumbs/1.png", "a/1.json", "a/notes.TXT", "a/x.npz")
    assert found_below(tmp_path) == ["a/1.png"]


def test_an_extension_is_not_needed(tmp_path: Path) -> None:
    assert found_below(fill(tmp_path, "a/picture", "a/b.weird")) == ["a/b.weird", "a/picture"]


def test_hidden_folders_are_no_classes(tmp_path: Path) -> None:
    pictures = FolderPictures(fill(tmp_path, "a/1.png", "b/1.png", ".git/1.png"))
    assert list(pictures.labels) == ["a", "b"]


def test_files_beside_the_classes_are_no_classes(tmp_path: Path) -> None:
    pictures = FolderPictures(fill(tmp_path, "a/1.png", "b/1.png", "cover.png"))
    assert pictures.names == ("a/1.png", "b/1.png")


def test_links_are_followed(tmp_path: Path) -> None:
    fill(tmp_path, "elsewhere/1.png", "data/a/2.png", "data/b/1.png")
    (tmp_path / "data/a/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/a/1.png").symlink_to(tmp_path / "elsewhere/1.png")
    (tmp_path / "data/c").symlink_to(tmp_path / "elsewhere")
    names = FolderPictures(tmp_path / "data").names
    assert names == ("a/1.png", "a/2.png", "a/linked/1.png", "b/1.png", "c/1.png")


@pytest.mark.fault(37)
def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/here").symlink_to(".")
    assert found_below(tmp_path) == ["a/1.png"]


@pytest.mark.fault(37)
def test_a_link_to_itself_is_no_reason_to_stop(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png")
    (tmp_path / "a/0.png").symlink_to("0.png")
    assert "a/1.png" in found_below(tmp_path)


@pytest.mark.fault(37)
def test_a_dangling_link_is_counted_and_not_read(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png")
    (tmp_path / "a/gone.png").symlink_to("nowhere.png")
    assert found_below(tmp_path) == ["a/1.png", "a/gone.png"]
    with pytest.raises(PictureError, match=r"there is no file .*gone\.png"):
        read_picture(tmp_path / "a/gone.png")


@pytest.mark.fault(36)
def test_pipes_sockets_and_devices_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png")
    os.mkfifo(tmp_path / "a/pipe.png")
    (tmp_path / "a/null.png").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        os.rename(tmp_path / "s", tmp_path / "a/socket.png")
        assert found_below(tmp_path) == ["a/1.png"]


@pytest.mark.fault(36)
def test_a_pipe_given_by_name_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="is a device, pipe or socket"):
        read_picture(tmp_path / "pipe.png")


@pytest.mark.fault(38)
def test_a_picture_that_vanished_says_so(tmp_path: Path) -> None:
    pictures = FolderPictures(fill(tmp_path, "a/1.png", "b/1.png"))
    (tmp_path / "a/1.png").unlink()
    with pytest.raises(PictureError, match=r"there is no file .*1\.png"):
        pictures.load_frame(0)


@pytest.mark.fault(39)
@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read anything")
def test_a_picture_that_is_not_ours_says_so(tmp_path: Path) -> None:
    pictures = FolderPictures(fill(tmp_path, "a/1.png", "b/1.png"))
    (tmp_path / "a/1.png").chmod(0)
    with pytest.raises(PictureError, match="Permission denied"):
        pictures.load_frame(0)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read anything")
def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "data/a/1.png", "data/b/1.png")
    (tmp_path / "data").chmod(0)
    with pytest.raises(DatasetError, match="Permission denied"):
        FolderPictures(tmp_path / "data")
    (tmp_path / "data").chmod(0o755)


@pytest.mark.fault(33)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"caf\xe9.png", id="not UTF-8"),
        pytest.param(b"two\nlines.png", id="a line break"),
        pytest.param("🐈.png".encode(), id="an emoji"),
        pytest.param(b"-rf.png", id="like an option"),
        pytest.param(b"a b'c\".png", id="quotes and spaces"),
        pytest.param(b"[red].png", id="markup"),
    ],
)
def test_a_file_may_have_any_name(name: bytes, tmp_path: Path) -> None:
    fill(tmp_path, "b/1.png", os.fsdecode(b"a/" + name))
    pictures = FolderPictures(tmp_path)
    assert os.fsencode(pictures.names[0]) == b"a/" + name
    assert pictures.load_frame(0).shape == (2, 3, 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param(b"caf\xe9", "not valid Unicode", id="not UTF-8"),
        pytest.param(b"two\nlines", "line break", id="a line break"),
        pytest.param(b"x" * 201, "201 characters", id="endless"),
    ],
)
def test_a_class_needs_a_name_that_is_a_label(name: bytes, message: str, tmp_path: Path) -> None:
    fill(tmp_path, "b/1.png", os.fsdecode(name) + "/1.png")
    with pytest.raises(DatasetError, match=message) as refused:
        FolderPictures(tmp_path)
    assert "rename" in refused.value.hint


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param([], "holds no folders of classes, wanted at least two", id="an empty folder"),
        pytest.param(["1.png"], "holds no folders of classes", id="pictures without classes"),
        pytest.param(["cat/1.png"], "only the class 'cat'", id="one class"),
        pytest.param(["a/1.png", "b/notes.txt"], "class 'b' in .* has no pictures", id="text only"),
    ],
)
def test_a_folder_is_refused(names: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        FolderPictures(fill(tmp_path, *names))


@pytest.mark.fault(35)
@pytest.mark.parametrize("name", ["nowhere", "file", "a\0b", "x" * 300])
def test_what_is_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(PNG)
    with pytest.raises(DatasetError, match="there is no folder"):
        open_pictures(str(tmp_path / name))


def test_files_and_folders_can_be_given_together(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png", "a/2.png", "single.txt")
    paths = find_pictures([tmp_path / "single.txt", tmp_path / "a", tmp_path / "gone.png"])
    assert [path.name for path in paths] == ["single.txt", "1.png", "2.png", "gone.png"]


@pytest.mark.fault(40)
def test_files_are_found_one_by_one(tmp_path: Path) -> None:
    fill(tmp_path, *(f"a/{i}/1.png" for i in range(3)))
    files = find_files(tmp_path)
    assert next(files).name == "1.png"
