"""Weights in torch's formats, read without torch: `edgecls_train.backbones.torch_file`."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from edgecls.errors import ModelFileError
from edgecls_train.backbones.torch_file import read_torch_file
from tests.train.backbones.torch_writer import (
    Stored,
    Tensor,
    stream_bytes,
    tensor,
    zip_bytes,
)

KERNEL = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
BIAS = np.array([0.5, -1.5], np.float32)
SIX = Stored("0", np.arange(6, dtype=np.float32), 6)


class RunsACommand:
    """What a hostile pickle looks like."""

    def __reduce__(self):
        return os.system, ("touch pwned",)


def state(**tensors):
    return OrderedDict(tensors)


def claims(storage: Stored, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]):
    return state(weight=Tensor(storage, offset, shape, strides))


@pytest.fixture
def written(tmp_path):
    def write(content: bytes):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return path

    return write


FORMATS = [
    pytest.param(stream_bytes, id="the stream from before torch 1.6"),
    pytest.param(zip_bytes, id="the ZIP since torch 1.6"),
]


@pytest.mark.parametrize("to_bytes", FORMATS)
def test_tensors_come_back_by_name(written, to_bytes):
    found = read_torch_file(
        written(to_bytes(state(kernel=tensor("0", KERNEL), bias=tensor("1", BIAS))))
    )
    assert list(found) == ["kernel", "bias"]
    assert found["kernel"].tolist() == KERNEL.tolist()
    assert found["bias"].tolist() == BIAS.tolist()


@pytest.mark.parametrize("to_bytes", FORMATS)
def test_two_tensors_may_share_a_storage_and_one_may_be_transposed(written, to_bytes):
    shared = state(rows=Tensor(SIX, 0, (2, 3), (3, 1)), columns=Tensor(SIX, 0, (3, 2), (1, 3)))
    found = read_torch_file(written(to_bytes(shared)))
    assert found["rows"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["columns"].tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize("to_bytes", FORMATS)
def test_code_in_the_file_is_named_and_not_run(written, tmp_path, monkeypatch, to_bytes):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError, match=r"it wants to run (posix|nt|os)\.system"):
        read_torch_file(written(to_bytes(state(kernel=RunsACommand()))))
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("to_bytes", FORMATS)
@pytest.mark.parametrize(
    ("hostile", "problem"),
    [
        pytest.param(claims(SIX, 3, (4,), (1,)), "beyond its storage", id="one value too many"),
        pytest.param(claims(SIX, 0, (2, 3), (4, 1)), "beyond its storage", id="long strides"),
        pytest.param(claims(SIX, -1, (2,), (1,)), "refers to nothing", id="begins before it"),
        pytest.param(claims(SIX, 5, (2,), (-1,)), "refers to nothing", id="goes backwards"),
        pytest.param(claims(SIX, 0, (2, 3), (1,)), "zip", id="a stride is missing"),
        pytest.param(claims(SIX, 0, (10**12,), (0,)), "larger than", id="repeats one for ever"),
        pytest.param(
            claims(Stored("0", SIX.values, 10**15), 0, (6,), (1,)), "", id="claims a petabyte"
        ),
        pytest.param(
            claims(Stored("0", SIX.values, -1), 0, (6,), (1,)), "negative", id="a negative size"
        ),
        pytest.param(state(weight="text"), "something else than", id="a text for a tensor"),
        pytest.param([1, 2], "", id="a list for a dictionary"),
    ],
)
def test_a_tensor_that_lies_is_refused(written, to_bytes, hostile, problem):
    holds = hostile if isinstance(hostile, OrderedDict) else OrderedDict(weight=hostile)
    with pytest.raises(ModelFileError, match=f"cannot be read(.|\n)*{problem}"):
        read_torch_file(written(to_bytes(holds)))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "", id="an empty file"),
        pytest.param(b"<html>not found</html>", "", id="a web page"),
        pytest.param(pickle.dumps(1), "not a torch file", id="another pickle"),
        pytest.param(stream_bytes(state(a=tensor("0", KERNEL)))[:-1], "cut off", id="a lost byte"),
        pytest.param(stream_bytes(state(a=tensor("0", KERNEL)))[:150], "", id="a lost half"),
        pytest.param(zip_bytes(state(a=tensor("0", KERNEL)))[:-30], "", id="half a ZIP"),
        pytest.param(
            stream_bytes(state(a=tensor("0", KERNEL)), system={"little_endian": False}),
            "big-endian",
            id="from a big-endian machine",
        ),
        pytest.param(
            zip_bytes(state(a=tensor("0", KERNEL)), compression=zipfile.ZIP_DEFLATED),
            "compressed",
            id="a ZIP that may unpack to any size",
        ),
    ],
)
def test_what_is_no_whole_torch_file_is_refused(written, content, problem):
    with pytest.raises(ModelFileError, match=f"cannot be read(.|\n)*{problem}") as refused:
        read_torch_file(written(content))
    assert "reinstall" in refused.value.hint


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ModelFileError, match="No such file"):
        read_torch_file(tmp_path / "nosuch.pth")
