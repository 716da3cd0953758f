"""Model files of other formats, each told what it is."""

import io
import zipfile

import pytest

from edgecls.errors import ModelFileError
from edgecls_convert.formats import refuse_other_formats


def zipped(name):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, b"{}")
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("m.h5", b"\x89HDF\r\n\x1a\n", "is an old Keras .h5 file", id="h5"),
        pytest.param("m.keras", b"\x89HDF\r\n\x1a\n", "is an old Keras .h5 file", id="h5 renamed"),
        pytest.param("m.pt", zipped("archive/data.pkl"), "is a PyTorch file", id="PyTorch"),
        pytest.param("m.pth", b"\x80\x02\x8a\n", "is a PyTorch file", id="older PyTorch"),
        pytest.param("m.onnx", b"\x08\x07\x12", "is an ONNX model", id="ONNX"),
        pytest.param("m.pb", b"\x0a", "is a TensorFlow graph", id="a frozen graph"),
        pytest.param("m.bin", b"\x1c\0\0\0TFL3", "is converted already", id="tflite by content"),
    ],
)
def test_other_formats_are_told(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=f"{message}.*, wanted a .keras file") as refused:
        refuse_other_formats(tmp_path / name)
    assert refused.value.hint


def test_a_saved_model_is_told(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"is a SavedModel, wanted a \.keras file"):
        refuse_other_formats(tmp_path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ModelFileError, match="there is no model file"):
        refuse_other_formats(tmp_path / "birds.keras")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(zipped("config.json"), id="a keras file"),
        pytest.param(b"", id="what Keras itself will refuse"),
    ],
)
def test_what_may_be_a_keras_file_passes(tmp_path, content):
    (tmp_path / "m.keras").write_bytes(content)
    assert refuse_other_formats(tmp_path / "m.keras") is None
