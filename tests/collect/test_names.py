"""What a label may be called."""

from __future__ import annotations

import pytest

from edgecls.collect.names import check_folders, check_label, parse_labels
from edgecls.errors import DatasetError, InvalidValueError


@pytest.mark.parametrize(
    ("text", "label"),
    [
        pytest.param("cat", "cat", id="a word"),
        pytest.param("  red bird ", "red bird", id="space around it goes, space inside it stays"),
        pytest.param("100 %", "100 %", id="a percent sign"),
        pytest.param("a\\b", "a\\b", id="a backslash, which is a letter like any other here"),
        pytest.param("Ka\u0308fer", "Käfer", id="a letter and its dots become one"),
        pytest.param("猫", "猫", id="another script"),
        pytest.param("👩\u200d🔬", "👩\u200d🔬", id="an emoji made of two"),
        pytest.param("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>", id="markup"),
        pytest.param("-rf", "-rf", id="what looks like an option"),
        pytest.param("unknown", "unknown", id="the camera's own word for no label"),
    ],
)
def test_a_label_is_whatever_a_folder_can_be_named_by(text: str, label: str) -> None:
    assert check_label(text) == label


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "empty", id="nothing"),
        pytest.param("   ", "empty", id="only space"),
        pytest.param(".", "begins with a dot", id="the folder itself"),
        pytest.param("..", "begins with a dot", id="the folder above"),
        pytest.param(".trash", "begins with a dot", id="a hidden folder"),
        pytest.param("a/b", "holds a '/'", id="a folder in a folder"),
        pytest.param("/etc", "holds a '/'", id="an absolute path"),
        pytest.param("a\0b", "cannot be seen", id="a NUL"),
        pytest.param("a\nb", "cannot be seen", id="a line feed"),
        pytest.param("a\x1b[31m", "cannot be seen", id="a terminal's escape"),
        pytest.param("a\u202eb", "cannot be seen", id="what turns the writing round"),
        pytest.param("\u200dcat", "cannot be seen", id="a joiner with nothing before it"),
        pytest.param("a\udc80", "cannot be seen", id="a byte that is no text"),
        pytest.param("x" * 201, "201 bytes, at most 200", id="too long"),
        pytest.param("猫" * 67, "201 bytes, at most 200", id="too long in bytes"),
    ],
)
def test_others_are_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        check_label(text)


@pytest.mark.parametrize(
    ("known", "text"),
    [
        pytest.param("cat", "Cat", id="in case"),
        pytest.param("straße", "STRASSE", id="in the case of a letter that becomes two"),
        pytest.param("file", "ﬁle", id="in a ligature"),
        pytest.param("cat1", "cat¹", id="in the height of a digit"),
        pytest.param("cat", "c\u200dat", id="in an invisible mark"),
    ],
)
def test_two_labels_differ_in_more_than_what_few_people_see(known: str, text: str) -> None:
    with pytest.raises(InvalidValueError, match="differs from the label"):
        check_label(text, [known])


def test_a_label_that_is_there_is_called_as_it_is() -> None:
    assert check_label("Käfer", ["Ka\u0308fer"]) == "Ka\u0308fer"


def test_labels_in_their_order() -> None:
    assert parse_labels("dog, cat,red bird") == ("dog", "cat", "red bird")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("cat,dog,cat", "given twice", id="one twice"),
        pytest.param("cat,,dog", "empty", id="one missing"),
        pytest.param("cat,CAT", "differs from", id="two that are nearly one"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        parse_labels(text)


def test_folders_that_are_there_are_held_to_the_same() -> None:
    assert check_folders(["Ka\u0308fer", "cat"], "DIR") == ("Ka\u0308fer", "cat")
    with pytest.raises(DatasetError, match=r"cannot be a class.*cannot be seen"):
        check_folders(["a\nb"], "DIR")
    with pytest.raises(DatasetError, match="'Cat' and 'cat' in 'DIR' differ in case"):
        check_folders(["Cat", "cat"], "DIR")
