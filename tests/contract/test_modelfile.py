"""The model file: one file whose parts belong together, or a message that says which does not."""

from __future__ import annotations

import dataclasses
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecls.contract.card import ModelCard
from edgecls.contract.golden import GoldenVectors
from edgecls.contract.labels import Labels
from edgecls.contract.modelfile import (
    ModelFile,
    load_model_file,
    parse_model_file,
    to_bytes,
    write_model_file,
)
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import DamagedModelError, EdgeclsError, InvalidValueError, ModelFileError
from tests.support.tiny_model import tiny_model_bytes, write_tiny_model

FLATBUFFER = tiny_model_bytes((4, 4), "GRAY", 3)
CARD = ModelCard(
    Labels(("dark", "gray", "bright")),
    Preprocessing((4, 4), "GRAY", "stretch"),
    metrics={"int8": {"top1": 1.0}},
)
GOLDEN = GoldenVectors(np.full((1, 4, 4, 1), 255, np.uint8), np.array([[0, 0, 255]], np.uint8))
WHOLE = to_bytes(FLATBUFFER, CARD, GOLDEN)


def parts_of(content: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The flatbuffer of a model file and what is appended to it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        start = min(entry.header_offset for entry in entries)
        return content[:start], {entry.filename: archive.read(entry) for entry in entries}


def joined(flatbuffer: bytes, parts: dict[str, bytes]) -> bytes:
    """A model file of parts that may not belong together."""
    whole = io.BytesIO()
    whole.write(flatbuffer)
    with zipfile.ZipFile(whole, "a") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return whole.getvalue()


def test_a_model_file_gives_back_what_was_put_in() -> None:
    model = parse_model_file(WHOLE, "whole.tflite")
    assert model.card.labels == CARD.labels
    assert model.card.preprocessing == CARD.preprocessing
    assert model.card.metrics == CARD.metrics
    assert model.golden is not None
    assert model.golden.outputs.tolist() == [[0, 0, 255]]
    assert model.assumptions == ()
    assert (model.input.shape, model.output.shape) == ((1, 4, 4, 1), (1, 3))


def test_the_same_parts_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_model_file(tmp_path / name, FLATBUFFER, CARD, GOLDEN)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == WHOLE


def test_writing_a_model_that_was_read_gives_the_same_bytes() -> None:
    model = parse_model_file(WHOLE, "whole.tflite")
    assert to_bytes(model.flatbuffer, model.card, model.golden) == WHOLE


def test_golden_vectors_may_be_left_out() -> None:
    assert parse_model_file(to_bytes(FLATBUFFER, CARD, None), "x").golden is None


def test_every_tool_that_reads_zip_reads_the_labels() -> None:
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archive:
        assert archive.namelist() == ["labels.txt", "card.json", "golden.npz"]
        assert archive.read("labels.txt") == b"dark\ngray\nbright\n"


def test_the_helper_of_other_tests_writes_a_whole_model_file(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "m.tflite", labels=["dark", "bright"])
    assert list(load_model_file(tmp_path / "m.tflite").card.labels) == ["dark", "bright"]
    assert model.golden is not None


def test_its_own_labels_may_be_given_again() -> None:
    assert parse_model_file(WHOLE, "x", CARD.labels).card.labels == CARD.labels


def test_other_labels_are_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"not the ones in its card \(2 from 'a'") as wrong:
        parse_model_file(WHOLE, "x", Labels(("a", "b")))
    assert wrong.value.hint == "leave --labels out: this model carries its own"


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_model_file_that_is_cut_off_is_refused(kept: float, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(WHOLE[: int(len(WHOLE) * kept)])
    with pytest.raises(ModelFileError, match=r"m\.tflite' cannot be used: "):
        load_model_file(tmp_path / "m.tflite")


@pytest.mark.fault(2)
def test_cut_off_at_every_length_it_is_refused() -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(ModelFileError):
            parse_model_file(WHOLE[:length], "cut.tflite")


def test_cut_off_behind_the_flatbuffer_it_says_that_the_card_is_missing() -> None:
    flatbuffer, parts = parts_of(WHOLE)
    assert parts
    with pytest.raises(DamagedModelError, match=f"ends after {len(flatbuffer)} bytes, before its"):
        parse_model_file(flatbuffer, "cut.tflite")


@pytest.mark.fault(6)
def test_a_flip_of_any_bit_of_the_flatbuffer_is_seen() -> None:
    flatbuffer, _ = parts_of(WHOLE)
    for place in range(8, len(flatbuffer)):
        flipped = bytearray(WHOLE)
        flipped[place] ^= 1 << place % 8
        with pytest.raises(EdgeclsError):
            parse_model_file(bytes(flipped), "flipped.tflite")


@pytest.mark.fault(6)
def test_a_flipped_weight_is_named_as_such() -> None:
    place = WHOLE.index(bytes([128 - 2] * 16))  # the 16 weights of the darkest class
    flipped = WHOLE[:place] + bytes([128 - 3]) + WHOLE[place + 1 :]
    with pytest.raises(DamagedModelError, match="weights are not the ones its card") as refused:
        parse_model_file(flipped, "flipped.tflite")
    assert "bit flipped" in refused.value.hint


def read_or_none(content: bytes) -> ModelFile | None:
    """A model file, or None when it is refused by an error of ours."""
    try:
        return parse_model_file(content, "flipped.tflite")
    except EdgeclsError:
        return None


def test_a_flip_behind_the_flatbuffer_is_seen_or_changes_nothing_that_decides() -> None:
    sound = parse_model_file(WHOLE, "whole.tflite")
    start = len(parts_of(WHOLE)[0])
    survivors = 0
    for place in range(start, len(WHOLE)):
        flipped = bytearray(WHOLE)
        flipped[place] ^= 1 << place % 8
        model = read_or_none(bytes(flipped))
        if model is not None:
            survivors += 1
            assert model.card == sound.card
            assert model.flatbuffer == sound.flatbuffer
            assert (model.golden is None) == (sound.golden is None)
    assert survivors < (len(WHOLE) - start) // 5  # dates and attributes of a ZIP may be anything


OTHER_GOLDEN = GoldenVectors(GOLDEN.images, np.array([[255, 0, 0]], np.uint8)).to_npz()


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        pytest.param("labels.txt", b"dark\nbright\ngray\n", r"its labels\.txt is not", id="order"),
        pytest.param("labels.txt", b"dark\r\ngray\r\nbright\r\n", r"its labels\.txt", id="CRLF"),
        pytest.param("labels.txt", b"", r"its labels\.txt is not", id="no labels"),
        pytest.param("golden.npz", OTHER_GOLDEN, "its golden vectors are not", id="other vectors"),
        pytest.param("golden.npz", b"", "its golden vectors are not", id="no vectors"),
        pytest.param("card.json", b"{}", "'schema' is missing", id="an empty card"),
        pytest.param("card.json", b"\x00\xff", r"card\.json: it is not UTF-8", id="no card"),
    ],
)
def test_a_part_of_another_model_is_refused(part: str, content: bytes, message: str) -> None:
    flatbuffer, parts = parts_of(WHOLE)
    with pytest.raises(EdgeclsError, match=message):
        parse_model_file(joined(flatbuffer, {**parts, part: content}), "joined.tflite")


def test_parts_that_are_missing_are_refused() -> None:
    flatbuffer, parts = parts_of(WHOLE)
    del parts["golden.npz"]
    with pytest.raises(DamagedModelError, match="golden vectors are not"):
        parse_model_file(joined(flatbuffer, parts), "joined.tflite")


def test_the_weights_of_another_model_are_refused() -> None:
    other = to_bytes(tiny_model_bytes((4, 4), "GRAY", 3, has_softmax=False), CARD, None)
    with pytest.raises(DamagedModelError, match="weights are not the ones its card"):
        parse_model_file(joined(parts_of(other)[0], parts_of(WHOLE)[1]), "joined.tflite")


@pytest.mark.parametrize(
    ("card", "message"),
    [
        pytest.param(
            dataclasses.replace(CARD, preprocessing=Preprocessing((8, 8), "GRAY")),
            r"takes \[1, 4, 4, 1\] but its card says \[1, 8, 8, 1\]",
            id="another size",
        ),
        pytest.param(
            dataclasses.replace(CARD, preprocessing=Preprocessing((4, 4), "RGB")),
            r"takes \[1, 4, 4, 1\] but its card says \[1, 4, 4, 3\]",
            id="other channels",
        ),
        pytest.param(
            dataclasses.replace(CARD, labels=Labels(("dark", "bright"))),
            "gives 3 scores but its card has 2 labels",
            id="another number of labels",
        ),
    ],
)
def test_the_card_of_another_export_is_refused_when_written(
    card: ModelCard, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=message) as refused:
        write_model_file(tmp_path / "m.tflite", FLATBUFFER, card)
    assert "another export" in refused.value.hint
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("images", "outputs"),
    [
        pytest.param((1, 8, 8, 1), (1, 3), id="images of another size"),
        pytest.param((1, 4, 4, 1), (1, 4), id="another number of scores"),
    ],
)
def test_golden_vectors_of_another_export_are_refused(
    images: tuple[int, ...], outputs: tuple[int, ...]
) -> None:
    golden = GoldenVectors(np.zeros(images, np.uint8), np.zeros(outputs, np.uint8))
    with pytest.raises(ModelFileError, match="its golden vectors go from"):
        parse_model_file(to_bytes(FLATBUFFER, CARD, golden), "x")


def test_golden_vectors_of_another_dtype_are_refused() -> None:
    golden = GoldenVectors(GOLDEN.images, GOLDEN.outputs.astype(np.int8))
    with pytest.raises(ModelFileError, match="to 3 int8 scores"):
        parse_model_file(to_bytes(FLATBUFFER, CARD, golden), "x")


def test_the_older_model_stays_when_the_new_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(WHOLE)
    wrong = dataclasses.replace(CARD, labels=Labels(("one", "two")))
    with pytest.raises(ModelFileError):
        write_model_file(tmp_path / "m.tflite", FLATBUFFER, wrong)
    assert (tmp_path / "m.tflite").read_bytes() == WHOLE


@pytest.mark.fault(7)
def test_an_archive_that_claims_more_than_80_mib_is_refused() -> None:
    flatbuffer, parts = parts_of(WHOLE)
    whole = io.BytesIO()
    whole.write(flatbuffer)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", parts["card.json"])
        archive.writestr("zeros", bytes(81 << 20))
    with pytest.raises(DamagedModelError, match="claim more than 80 MiB"):
        parse_model_file(whole.getvalue(), "bomb.tflite")


def test_the_path_is_part_of_the_message(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"there is no file .*missing\.tflite'"):
        load_model_file(tmp_path / "missing.tflite")


def test_a_folder_is_no_model_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="is a folder, wanted a file"):
        load_model_file(tmp_path)
