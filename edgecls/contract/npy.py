"""Arrays as `.npy` bytes, read strictly: numpy's own reader evaluates what stands in the header."""

from __future__ import annotations

import io
import math
import re
import struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_MAGIC: Final = b"\x93NUMPY\x01\x00"
_MOST_HEADER_BYTES: Final = 1 << 12
# What `numpy.lib.format.write_array` writes for an array of numbers in C order.
_HEADER: Final = re.compile(
    rb"\{'descr': '(?P<dtype>[|<][a-z]\d)', 'fortran_order': False,"
    rb" 'shape': \((?P<shape>(?:[0-9]+, ?)*[0-9]*)\), \} *\n"
)
_DTYPES: Final = {b"|u1": np.uint8, b"|i1": np.int8, b"<f4": np.float32, b"<i8": np.int64}


def write_npy(values: npt.NDArray[Any]) -> bytes:
    """An array of uint8, int8, float32 or int64 as `numpy.save` writes it."""
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
    return out.getvalue()


def read_npy(content: bytes) -> npt.NDArray[Any]:
    """Read what `write_npy` wrote.

    Raises:
        ValueError: Something else, also other types that numpy would read.
    """
    if not content.startswith(_MAGIC) or len(content) < 10:
        raise ValueError("it is no array of numpy's format 1.0")
    (length,) = struct.unpack_from("<H", content, len(_MAGIC))
    header = _HEADER.fullmatch(content, 10, 10 + min(length, _MOST_HEADER_BYTES))
    dtype = _DTYPES.get(header["dtype"]) if header else None
    if header is None or dtype is None:
        raise ValueError(f"the header of an array is {content[10:90]!r}")
    shape = tuple(int(side) for side in header["shape"].split(b",") if side.strip())
    wanted = math.prod(shape) * np.dtype(dtype).itemsize
    if len(content) != 10 + length + wanted:
        raise ValueError(
            f"an array of shape {shape} has {len(content) - 10 - length} bytes, wanted {wanted}"
        )
    values: npt.NDArray[Any] = np.frombuffer(content, dtype, offset=10 + length).reshape(shape)
    return values.copy()
