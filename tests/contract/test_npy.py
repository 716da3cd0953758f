"""Arrays are read as we write them, and nothing else that numpy would read."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from edgecls.contract.npy import read_npy, write_npy


def saved(values: Any, **more: Any) -> bytes:
    """As `numpy.save` writes it."""
    out = io.BytesIO()
    np.save(out, values, **more)
    return out.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32, np.int64])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (1, 2, 3, 4)])
def test_what_was_written_is_read(dtype: Any, shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    found = read_npy(write_npy(values))
    assert found.dtype == dtype
    assert found.shape == shape
    assert np.array_equal(found, values)


def test_it_is_what_numpy_writes_and_reads() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert write_npy(values) == saved(values)
    assert np.array_equal(np.load(io.BytesIO(write_npy(values))), values)


def test_what_lies_otherwise_in_memory_is_written_in_order() -> None:
    values = np.arange(6, dtype=np.uint8).reshape(2, 3).T
    assert np.array_equal(read_npy(write_npy(values)), values)


def test_what_was_read_may_be_written_to() -> None:
    read_npy(write_npy(np.zeros(3, np.uint8)))[0] = 1


SOUND = saved(np.zeros((2, 3), np.uint8))


@pytest.mark.fault(7)
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "no array of numpy's format", id="nothing"),
        pytest.param(SOUND[:9], "no array of numpy's format", id="cut in its beginning"),
        pytest.param(SOUND[:40], "header of an array", id="cut in its header"),
        pytest.param(SOUND[:-1], "has 5 bytes, wanted 6", id="cut in its values"),
        pytest.param(SOUND + b"x", "has 7 bytes, wanted 6", id="followed by something"),
        pytest.param(SOUND.replace(b"|u1", b"<f8"), "<f8", id="another type"),
        pytest.param(saved(np.array([{}])), "header of an array", id="a pickle"),
        pytest.param(saved(np.zeros((2, 3)).T), "header of an array", id="columns first"),
        pytest.param(SOUND.replace(b"(2, 3)", b"(2, -)"), "header", id="no number"),
        pytest.param(SOUND.replace(b"(2, 3)", b"(2 3 )"), "header", id="no commas"),
        pytest.param(SOUND.replace(b"(2, 3)", b"(9, 9)"), "6 bytes, wanted 81", id="few values"),
        pytest.param(
            SOUND.replace(b"2, 3), }" + b" " * 20, b"9" * 23 + b",), }"),
            "wanted 99999999999999999999999",
            id="more than there is",
        ),
    ],
)
def test_anything_else_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_npy(content)
