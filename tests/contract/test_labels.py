"""Labels: one name a class, whatever the label file looks like."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.contract.labels import Labels
from edgecls.errors import InvalidValueError


@pytest.mark.fault(19)
@pytest.mark.fault(20)
@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param((), "at least one label", id="no label at all"),
        pytest.param(("cat", ""), "label 1 is empty", id="an empty name"),
        pytest.param(("cat", " \t"), "label 1 is empty", id="a name of spaces"),
        pytest.param(("cat", "dog", "cat"), "'cat' is given to more than one", id="a name twice"),
        pytest.param(("x" * 201,), "201 characters, at most 200", id="an endless name"),
        pytest.param(("a\nb",), "line break or a control", id="a line break"),
        pytest.param(("a\u2028b",), "line break or a control", id="a Unicode line separator"),
        pytest.param(("\x1b[31mred",), "line break or a control", id="a terminal escape"),
        pytest.param(("\x9b31mred",), "line break or a control", id="an 8-bit terminal escape"),
        pytest.param(("a\x00b",), "line break or a control", id="a NUL"),
        pytest.param(("\x7f",), "line break or a control", id="a DEL"),
        pytest.param(("caf\udce9",), "not valid Unicode", id="half a surrogate pair"),
    ],
)
def test_labels_refuse(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Labels(names)


def test_labels_are_a_sequence_of_their_names() -> None:
    labels = Labels(("cat", "dog"))
    assert (len(labels), labels[1], list(labels)) == (2, "dog", ["cat", "dog"])


def test_two_hundred_characters_are_still_a_name() -> None:
    assert len(Labels(("x" * 200,))[0]) == 200


@pytest.mark.fault(20)
def test_markup_is_a_name_like_any_other() -> None:
    assert Labels(("[red]cat[/red]",))[0] == "[red]cat[/red]"


@pytest.mark.fault(19)
@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param(b"cat\ndog\n", ["cat", "dog"], id="one name a line"),
        pytest.param(b"cat\ndog", ["cat", "dog"], id="the last line may end without a break"),
        pytest.param(b"cat\r\ndog\r\n", ["cat", "dog"], id="CRLF"),
        pytest.param(b"\xef\xbb\xbfcat\ndog", ["cat", "dog"], id="a byte order mark is ignored"),
        pytest.param("\ufeffcat\ndog", ["cat", "dog"], id="also in text that is decoded already"),
        pytest.param(b"cat\ndog\n\n \n", ["cat", "dog"], id="blank lines at the end are ignored"),
        pytest.param(b"  cat \n\tdog", ["cat", "dog"], id="spaces around names are not theirs"),
        pytest.param("猫\n犬".encode(), ["猫", "犬"], id="any script"),
        pytest.param(b"crane\ntoad\ncrane", ["crane (0)", "toad", "crane (2)"], id="a name twice"),
        pytest.param(b"0  cat\n1  dog\n", ["cat", "dog"], id="index and name"),
        pytest.param(b"1  dog\n0  cat\n", ["cat", "dog"], id="indices in any order"),
        pytest.param(b"0: cat\n1: dog\n", ["cat", "dog"], id="index, colon, name"),
        pytest.param(b"0 cat\n\n1 dog\n", ["cat", "dog"], id="blank lines between indices"),
        pytest.param(b"0 cat\n2 dog\n", ["cat", "class 1", "dog"], id="an index that is left out"),
        pytest.param(
            b"12 Main Street\n12 Oak Road", ["12 Main Street", "12 Oak Road"], id="house numbers"
        ),
        pytest.param(b"0 a\n5000000 b", ["0 a", "5000000 b"], id="numbers that leap"),
        pytest.param(b"0\n1\n2\n", ["0", "1", "2"], id="digits are names, not indices"),
    ],
)
def test_a_label_file_is_read(text: str | bytes, names: list[str]) -> None:
    assert list(Labels.from_text(text)) == names


@pytest.mark.fault(19)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"", "at least one label", id="an empty file"),
        pytest.param(b"\n\n", "at least one label", id="only blank lines"),
        pytest.param(b"cat\n\ndog", "label 1 is empty", id="a blank line in the middle"),
        pytest.param(b"caf\xe9\n", r"not UTF-8 text \(byte 3 is 0xe9\)", id="Latin-1"),
        pytest.param("cat".encode("utf-16"), "byte 0 is 0xff", id="UTF-16"),
        pytest.param(b"cat\x1b[2J\n", "control character", id="a terminal escape"),
    ],
)
def test_a_label_file_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Labels.from_text(text)


def test_the_text_of_labels_gives_the_same_labels_back() -> None:
    labels = Labels(("cat", "dog, domestic", "crane (2)"))
    assert Labels.from_text(labels.to_text()) == labels


def test_a_model_that_says_nothing_has_numbered_classes() -> None:
    assert list(Labels.numbered(3)) == ["class 0", "class 1", "class 2"]


def test_the_1001_labels_of_coral_tell_the_two_cranes_apart(data_folder: Path) -> None:
    labels = Labels.from_text((data_folder / "coral/imagenet_labels.txt").read_bytes())
    assert len(labels) == 1001
    assert labels[0] == "background"
    # Class 134 of ImageNet is the bird and 517 the machine; the background shifts both by one.
    assert (labels[135], labels[518]) == ("crane (135)", "crane (518)")
