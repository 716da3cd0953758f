"""Files of others: strangers are named, and a model without a card still works."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls.contract.modelfile import load_model_file, parse_model_file
from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.tflite_metadata import embed_metadata
from edgecls.errors import DamagedModelError, EdgeclsError, ModelFileError, NotAClassifierError
from edgecls.imaging.opencv import cv2
from tests.support.edited_model import edited, set_field
from tests.support.tiny_model import TinyModel, build, tiny_model_bytes, with_custom_operator

TINY = tiny_model_bytes((4, 4), "GRAY", 3)


def picture(kind: str) -> bytes:
    """A small picture in a format of OpenCV."""
    return bytes(cv2.imencode(kind, np.zeros((8, 8, 3), np.uint8))[1])


def zipped(**parts: bytes | str) -> bytes:
    """A ZIP archive; in the names `__` stands for a dot."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "."), content)
    return packed.getvalue()


# The first bytes of an ONNX file: field 1 (ir_version) is 8, field 2 (producer_name) a string.
ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.3.0" + bytes(64)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3588976\n"


@pytest.mark.fault(1)
@pytest.mark.fault(3)
@pytest.mark.fault(4)
@pytest.mark.fault(5)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the file is empty", id="an empty file"),
        pytest.param(picture(".png"), "it is a PNG picture", id="a PNG"),
        pytest.param(picture(".jpg"), "it is a JPEG picture", id="a JPEG"),
        pytest.param(picture(".webp"), "it is a WebP picture", id="a WebP"),
        pytest.param(b"GIF89a" + bytes(20), "it is a GIF picture", id="a GIF"),
        pytest.param(zipped(a__txt="hello"), "it is a ZIP archive", id="a ZIP"),
        pytest.param(
            zipped(config__json="{}", model__weights__h5=b"\x89HDF"),
            "a .keras model; convert it first",
            id="a .keras file",
        ),
        pytest.param(b"\x89HDF\r\n\x1a\n" + bytes(64), r"a Keras \.h5 file", id="an .h5 file"),
        pytest.param(ONNX, "an ONNX model", id="an ONNX file"),
        pytest.param(b"\x7fELF\x02\x01\x01" + bytes(64), "it is a program", id="an ELF"),
        pytest.param(b"%PDF-1.7\n", "a PDF document", id="a PDF"),
        pytest.param(gzip.compress(TINY), "gzipped; unpack it first", id="gzipped"),
        pytest.param(LFS, "Git LFS pointer, .* run 'git lfs pull'", id="a Git LFS pointer"),
        pytest.param(
            b"\n<!DOCTYPE html><html><head><title>404", "it is a web page", id="an HTML page"
        ),
        pytest.param(b"<HTML>\n", "it is a web page", id="an HTML page in capitals"),
        pytest.param(b"\n" + TINY, "its bytes are shifted", id="shifted by a byte"),
        pytest.param(TINY[1:], "its bytes are shifted", id="without its first byte"),
        pytest.param(b"\xef\xbb\xbf" + TINY, "its bytes are shifted", id="with a byte order mark"),
        pytest.param(b"hello\n", "the mark TFL3 is missing", id="some text"),
        pytest.param(bytes(1000), "the mark TFL3 is missing", id="zeros"),
    ],
)
def test_a_stranger_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"model\.tflite' cannot be used: .*{message}"):
        load_model_file(tmp_path / "model.tflite")


@pytest.mark.fault(5)
def test_a_model_mangled_by_a_transfer_in_text_mode_is_refused(data_folder: Path) -> None:
    sound = (data_folder / "coral/mobilenet_v1_0.25_128_quant.tflite").read_bytes()
    with pytest.raises(DamagedModelError, match="cut off or damaged") as refused:
        parse_model_file(sound.replace(b"\n", b"\r\n"), "mangled.tflite")
    assert "binary mode" in refused.value.hint


def with_attached(flatbuffer: bytes, **parts: bytes | str) -> bytes:
    """A model with a ZIP behind it, as other tools append it."""
    whole = io.BytesIO()
    whole.write(flatbuffer)
    with zipfile.ZipFile(whole, "a") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "."), content)
    return whole.getvalue()


def with_metadata_only(flatbuffer: bytes) -> bytes:
    """A model with standard metadata that name `labels.txt`, without our mark."""
    marked = embed_metadata(flatbuffer, Preprocessing((4, 4), "GRAY"))
    assert marked.count(b"EDGECLS_CARD") == 1
    return marked.replace(b"EDGECLS_CARD", b"SOMEONE_ELSE")


def test_without_anything_the_classes_are_numbered() -> None:
    model = parse_model_file(TINY, "plain.tflite")
    assert list(model.card.labels) == ["class 0", "class 1", "class 2"]
    assert model.assumptions == (
        "labels: none found, so class numbers are shown (see --labels)",
        "picture: GRAY, centre crop of 0.875, 4x4",
    )


def test_labels_of_the_user_are_taken() -> None:
    model = parse_model_file(TINY, "plain.tflite", Labels(("a", "b", "c")))
    assert list(model.card.labels) == ["a", "b", "c"]
    assert model.assumptions[0] == "labels: as given"


def test_labels_of_the_standard_metadata_are_taken() -> None:
    content = with_attached(with_metadata_only(TINY), labels__txt="a\nb\nc\n")
    model = parse_model_file(content, "mediapipe.tflite")
    assert list(model.card.labels) == ["a", "b", "c"]
    assert model.assumptions[0] == "labels: from the TFLite metadata"


def test_labels_that_the_metadata_promise_must_be_there() -> None:
    with pytest.raises(DamagedModelError, match=r"ends before its labels \('labels.txt'\)"):
        parse_model_file(with_metadata_only(TINY), "cut.tflite")


@pytest.mark.fault(2)
def test_a_real_model_cut_off_in_its_labels_is_refused(data_folder: Path) -> None:
    whole = (data_folder / "coral/mobilenet_v1_0.25_128_quant.tflite").read_bytes()
    for missing in (1, 100, 21_000):
        with pytest.raises(DamagedModelError, match="ends before its labels"):
            parse_model_file(whole[:-missing], "cut.tflite")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(
            "metadata__json",
            json.dumps({"task": "classify", "names": {"0": "a", "1": "b", "2": "c"}}),
            id="as JSON",
        ),
        pytest.param(
            "temp_meta__txt", "{'task': 'classify', 'names': {0: 'a', 1: 'b', 2: 'c'}}", id="older"
        ),
    ],
)
def test_labels_of_ultralytics_are_taken(name: str, text: str) -> None:
    model = parse_model_file(with_attached(TINY, **{name: text}), "yolo.tflite")
    assert list(model.card.labels) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{}", id="without names"),
        pytest.param('{"names": ["a", "b", "c"]}', id="a list for an object"),
        pytest.param('{"names": {"0": "a", "2": "c"}}', id="an index that is missing"),
        pytest.param("{'names': {1e999: 'a'}}", id="a class numbered infinity"),
        pytest.param("(" * 100_000, id="nesting without end"),
        pytest.param("-" * 1_000_000 + "1", id="signs without end"),
        pytest.param('{"names": ' + "[" * 100_000, id="lists without end"),
        pytest.param("__import__('os').abort()", id="code, which is not run"),
    ],
)
def test_names_that_cannot_be_read_are_not_taken(text: str) -> None:
    model = parse_model_file(with_attached(TINY, metadata__json=text), "yolo.tflite")
    assert list(model.card.labels) == ["class 0", "class 1", "class 2"]


@pytest.mark.fault(18)
def test_a_wrong_number_of_labels_is_refused() -> None:
    with pytest.raises(NotAClassifierError, match="gives 3 scores but there are 2 labels") as wrong:
        parse_model_file(TINY, "plain.tflite", Labels(("a", "b")))
    assert "--labels" in wrong.value.hint


@pytest.mark.parametrize(
    ("dtype", "last"),
    [
        pytest.param("uint8", None, id="bytes need no word"),
        pytest.param("int8", None, id="nor do shifted bytes"),
        pytest.param("float32", "float input: raw pixels, 0 to 255", id="floats do"),
    ],
)
def test_what_a_float_input_wants_is_said(dtype: Any, last: str | None) -> None:
    model = parse_model_file(tiny_model_bytes((4, 4), "GRAY", 3, dtype=dtype), "plain.tflite")
    assert model.assumptions[2:] == ((last,) if last else ())


def test_the_normalization_of_a_float_model_is_read_from_its_metadata() -> None:
    flatbuffer = tiny_model_bytes((4, 4), "GRAY", 3, dtype="float32")
    content = with_attached(with_metadata_only(flatbuffer), labels__txt="a\nb\nc\n")
    model = parse_model_file(content, "float.tflite")
    assert model.normalization is not None
    assert (model.normalization.mean, model.normalization.std) == ((0.0,), (1.0,))
    assert model.assumptions[2] == "float input: (pixel - [0.0]) / [1.0]"


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param(TinyModel((4, 4), classes=3, extra_outputs=1), "1 inputs and 2", id="two"),
        pytest.param(TinyModel((4, 4), classes=3, extra_outputs=2), "1 inputs and 3", id="three"),
    ],
)
def test_a_model_with_several_outputs_is_no_classifier(model: TinyModel, message: str) -> None:
    with pytest.raises(NotAClassifierError, match=message) as refused:
        parse_model_file(build(model), "detector.tflite")
    assert "detection" in refused.value.hint


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("tensor", "shape", "message"),
    [
        pytest.param(0, [1, 1, 4, 4], r"wanted \[1, height, width, 1 or 3\]", id="channels first"),
        pytest.param(0, [1, 16], r"its input has the shape \[1, 16\]", id="a flat input"),
        pytest.param(0, [2, 4, 2, 1], "a fixed batch of 1", id="a batch of two"),
        pytest.param(6, [3, 1], r"its output has the shape \[3, 1\]", id="scores in a column"),
        pytest.param(6, [1, 20, 20, 3], "wanted one score a class", id="a score a pixel"),
        pytest.param(6, [1, 50_000_000], "at most 100000 classes", id="50 million classes"),
        pytest.param(6, [], r"its output has the shape \[\]", id="a single number"),
    ],
)
def test_a_model_of_another_shape_is_no_classifier(
    tensor: int, shape: list[int], message: str
) -> None:
    content = edited(TINY, set_field(f"subgraphs.0.tensors.{tensor}.shape", shape))
    with pytest.raises(NotAClassifierError, match=message):  # message or hint
        parse_model_file(content, "other.tflite")


def test_a_compiled_model_is_read_like_any_other(data_folder: Path) -> None:
    model = load_model_file(data_folder / "coral/mobilenet_v1_0.25_128_quant_edgetpu.tflite")
    assert len(model.card.labels) == 1001


@pytest.mark.parametrize(
    "name", ["pretrainedResnet.tflite", "pretrainedResnet_quant.tflite"], ids=["float", "int8"]
)
def test_the_references_of_mlperf_tiny_are_classifiers(name: str, data_folder: Path) -> None:
    model = load_model_file(data_folder / "mlperf-tiny" / name)
    assert model.card.preprocessing.shape == (32, 32, 3)
    assert len(model.card.labels) == 10


def test_metadata_that_point_out_of_themselves_are_refused_or_harmless() -> None:
    sound = with_attached(with_metadata_only(TINY), labels__txt="a\nb\nc\n")
    start, end = sound.index(b"M001") - 4, sound.index(b"M001") + 600
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(1500):
        mutant = bytearray(sound)
        mutant[random.integers(start, end)] = random.integers(256)
        try:
            parse_model_file(bytes(mutant), "mutant.tflite")
        except EdgeclsError:
            refused += 1
    assert refused > 100


def test_an_operator_of_somebody_else_is_no_reason_to_refuse() -> None:
    model = parse_model_file(with_custom_operator(TinyModel((4, 4), classes=3), "NPU"), "x")
    assert model.structure.operator_counts["NPU"] == (1, 1)
