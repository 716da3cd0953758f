"""Golden vectors: prepared images with the outputs that every board must reproduce."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecls.errors import InvalidValueError, ShapeError

# ZIP has no "no date"; its first one keeps equal contents equal bytes.
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
MAX_GOLDEN_BYTES = 64 << 20
# XNNPACK's kernels round differently on x86-64 and Arm: one step of the quantized output.
TOLERANCE_STEPS = 1
# All that reading a damaged ZIP was seen to raise; RuntimeError: it claims to be encrypted.
UNREADABLE_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    KeyError,
    ValueError,
    EOFError,
    OSError,
    RuntimeError,
    MemoryError,
)


@dataclass(frozen=True, slots=True, eq=False)
class GoldenVectors:
    """Images and the raw outputs that the model gave for them where it was converted.

    Args:
        images: uint8, (N, height, width, depth), as `imaging.prepare` makes them.
        outputs: (N, classes), in the output tensor's own dtype (uint8, int8 or float32).
    """

    images: npt.NDArray[np.uint8]
    outputs: npt.NDArray[Any]

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ShapeError(
                f"golden images are {self.images.dtype} {self.images.shape},"
                " wanted uint8 (N, height, width, depth)"
            )
        if self.outputs.dtype not in (np.uint8, np.int8, np.float32) or self.outputs.ndim != 2:
            raise ShapeError(
                f"golden outputs are {self.outputs.dtype} {self.outputs.shape},"
                " wanted uint8, int8 or float32 (N, classes)"
            )
        if len(self.images) != len(self.outputs) or not len(self.images):
            raise ShapeError(
                f"there are {len(self.images)} golden images and {len(self.outputs)} outputs,"
                " wanted the same number and at least one"
            )

    def __len__(self) -> int:
        return len(self.images)

    def to_npz(self) -> bytes:
        """As `golden.npz`; equal vectors are equal bytes (`numpy.savez` writes today's date)."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name in ("images", "outputs"):
                array = io.BytesIO()
                np.lib.format.write_array(array, getattr(self, name), allow_pickle=False)
                entry = zipfile.ZipInfo(f"{name}.npy", FIXED_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, array.getvalue())
        return packed.getvalue()

    @classmethod
    def from_npz(cls, content: bytes) -> GoldenVectors:
        """Read `golden.npz`; nothing in it can run code or claim more than 64 MiB.

        Raises:
            InvalidValueError: Damaged, too large, or arrays missing.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_GOLDEN_BYTES:
                    raise InvalidValueError("golden.npz unpacks to more than 64 MiB")
                images, outputs = (
                    np.lib.format.read_array(
                        io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False
                    )
                    for name in ("images", "outputs")
                )
        except InvalidValueError:
            raise
        except (*UNREADABLE_ZIP, TypeError, IndexError) as wrong:  # also of numpy's header
            raise InvalidValueError(f"golden.npz cannot be read: {wrong}") from wrong
        return cls(images, outputs)
