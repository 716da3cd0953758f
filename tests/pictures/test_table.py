"""Tables of pictures: CSV files of path,label[,subset]."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecls.errors import DatasetError, PictureError
from edgecls.pictures import open_pictures
from edgecls.pictures.table import TablePictures
from tests.pictures.test_folder import PNG, fill


def table(folder: Path, text: str | bytes) -> TablePictures:
    """A table in a folder with the pictures x/1.png to x/3.png."""
    fill(folder, "x/1.png", "x/2.png", "x/3.png")
    content = text.encode() if isinstance(text, str) else text
    (folder / "photos.csv").write_bytes(content)
    return TablePictures(folder / "photos.csv")


TWO = "x/1.png,cat\nx/2.png,dog\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TWO, id="no header"),
        pytest.param("path,label\n" + TWO, id="a header"),
        pytest.param("label,note,file\ncat,,x/1.png\ndog,!,x/2.png\n", id="columns in any order"),
        pytest.param("\ufeffFilename,Class\n" + TWO, id="other words, capitals, a byte order mark"),
        pytest.param(TWO.replace(",", ";"), id="semicolons"),
        pytest.param(TWO.replace(",", "\t"), id="tabs"),
        pytest.param(TWO.replace("\n", "\r\n"), id="lines of Windows"),
        pytest.param('\n"x/1.png", cat \n\n"x/2.png","dog"\n', id="quotes and empty lines"),
    ],
)
def test_a_table_is_understood(text: str, tmp_path: Path) -> None:
    pictures = table(tmp_path, text)
    assert pictures.names == ("x/1.png", "x/2.png")
    assert list(pictures.labels) == ["cat", "dog"]
    assert pictures.targets.tolist() == [0, 1]
    assert pictures.given_subsets is None


def test_a_third_column_says_what_pictures_are_for(tmp_path: Path) -> None:
    pictures = table(tmp_path, "x/1.png,cat,training\nx/2.png,dog,Valid\nx/3.png,dog,test\n")
    assert pictures.given_subsets == ("train", "val", "test")


def test_paths_are_relative_to_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = table(tmp_path, TWO).origin
    monkeypatch.chdir("/")
    pictures = open_pictures(origin)
    assert pictures.origin == str(tmp_path / "photos.csv")
    assert pictures.load_bytes(0) == PNG
    assert pictures.load_frame(1).tolist() == np.full((2, 3, 3), 9).tolist()


def test_a_missing_file_is_an_unreadable_picture_of_its_line(tmp_path: Path) -> None:
    pictures = table(tmp_path, "path,label\n" + TWO + "x/9.png,dog\n")
    assert len(pictures) == 3
    with pytest.raises(PictureError, match=r"'photos\.csv' line 4: there is no file .*9\.png"):
        pictures.load_frame(2)
    with pytest.raises(PictureError, match=r"'photos\.csv' line 4: there is no file .*9\.png"):
        pictures.load_bytes(2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param("path,label\n", "holds no pictures", id="a header alone"),
        pytest.param("x/1.png,cat\n", "only the class 'cat'", id="one class"),
        pytest.param(TWO + "x/3.png\n", "line 3: it has 1 columns, wanted 2", id="no label"),
        pytest.param(TWO + "x/3.png, \n", "line 3: the label is empty", id="an empty label"),
        pytest.param(TWO + ",dog\n", "line 3: the path is empty", id="an empty path"),
        pytest.param(TWO + "x/1.png,dog\n", "line 3: 'x/1.png' is already in line 1", id="twice"),
        pytest.param(
            "x/1.png,cat,train\nx/2.png,dog,dev\n",
            "line 2: subset 'dev' is none of train, val, test",
            id="an unknown subset",
        ),
        pytest.param(TWO + f"x/3.png,{'x' * 201}\n", "line 3: label 0 has 201", id="endless label"),
        pytest.param('x/1.png,"cat\n', "is not a table", id="an open quote"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        table(tmp_path, text)


def test_every_wrong_line_is_named_up_to_five(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"line 1: .*line 5: .*; and 2 lines more"):
        table(tmp_path, ",cat\n" * 7)


def test_there_must_be_such_a_table() -> None:
    with pytest.raises(DatasetError, match=r"there is no file 'nowhere\.csv'"):
        open_pictures("nowhere.csv")


def test_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    fill(tmp_path, "caf\udce9.png")
    pictures = table(tmp_path, b"caf\xe9.png,cat\nx/2.png,dog\n")
    assert pictures.load_bytes(0) == PNG
