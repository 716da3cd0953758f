"""Golden vectors: frames, images and outputs that every board must reproduce."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.archive import FIXED_DATE, UNREADABLE_ZIP, TooLargeError, read_archive
from edgecls.contract.npy import read_npy, write_npy
from edgecls.errors import InvalidValueError, ShapeError

MAX_GOLDEN_BYTES = 64 << 20
_SUM_BYTES: Final = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class GoldenFrame:
    """A picture as a camera sends it, and what it was decoded to where the model was converted.

    Args:
        jpeg: The encoded picture.
        pixels_sum: `fingerprint` of the decoded frame.
        scaled_sum: `fingerprint` of the image prepared from the frame that was decoded at reduced
            size; empty where that was not done.
    """

    jpeg: bytes
    pixels_sum: bytes
    scaled_sum: bytes = b""

    def __post_init__(self) -> None:
        if not self.jpeg:
            raise InvalidValueError("a golden frame is empty")
        if len(self.pixels_sum) != _SUM_BYTES or len(self.scaled_sum) not in (0, _SUM_BYTES):
            raise InvalidValueError(
                f"the sums of a golden frame have {len(self.pixels_sum)} and"
                f" {len(self.scaled_sum)} bytes, wanted {_SUM_BYTES}"
            )


def fingerprint(pixels: npt.NDArray[np.uint8]) -> bytes:
    """SHA-256 of a frame or image: of its shape and its pixels."""
    shape = np.array(pixels.shape, "<i8").tobytes()
    return hashlib.sha256(shape + np.ascontiguousarray(pixels).tobytes()).digest()


@dataclass(frozen=True, slots=True, eq=False)
class GoldenVectors:
    """Frames, the images made of them, and the raw outputs where the model was converted.

    Args:
        images: uint8, (N, height, width, depth), as `imaging.prepare` makes them.
        outputs: (N, classes), in the output tensor's own dtype (uint8, int8 or float32).
        frames: What each image was prepared from; empty in files of before there were frames.
    """

    images: npt.NDArray[np.uint8]
    outputs: npt.NDArray[Any]
    frames: tuple[GoldenFrame, ...] = ()

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
        if len(self.frames) not in (0, len(self.images)):
            raise ShapeError(
                f"there are {len(self.frames)} golden frames and {len(self.images)} images,"
                " wanted the same number or none"
            )

    def __len__(self) -> int:
        return len(self.images)

    def to_npz(self) -> bytes:
        """As `golden.npz`; equal vectors are equal bytes (`numpy.savez` writes today's date)."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            arrays = {"images": self.images, "outputs": self.outputs, **_pack_frames(self.frames)}
            for name, values in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy", FIXED_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, write_npy(values))
        return packed.getvalue()

    @classmethod
    def from_npz(cls, content: bytes) -> GoldenVectors:
        """Read `golden.npz`; nothing in it can run code or claim more than 64 MiB.

        Raises:
            InvalidValueError: Damaged, too large, or arrays missing.
        """
        try:
            entries, _ = read_archive(content, MAX_GOLDEN_BYTES)
            arrays = {
                name: read_npy(entries[f"{name}.npy"])
                for name in (*_ARRAYS, *_FRAME_ARRAYS)
                if name in _ARRAYS or f"{name}.npy" in entries
            }
            return cls(arrays["images"], arrays["outputs"], _unpack_frames(arrays))
        except (InvalidValueError, ShapeError):
            raise
        except TooLargeError as wrong:
            raise InvalidValueError(f"golden.npz unpacks to {wrong}") from wrong
        except (*UNREADABLE_ZIP, TypeError, IndexError) as wrong:  # a part of another shape
            raise InvalidValueError(f"golden.npz cannot be read: {wrong}") from wrong


_ARRAYS: Final = ("images", "outputs")
# All JPEGs behind one another, the length of each, and the sums, (N, 32) each.
_FRAME_ARRAYS: Final = ("jpegs", "jpeg_bytes", "pixel_sums", "scaled_sums")


def _pack_frames(frames: tuple[GoldenFrame, ...]) -> dict[str, npt.NDArray[Any]]:
    if not frames:
        return {}
    nothing = bytes(_SUM_BYTES)
    values = (
        np.frombuffer(b"".join(frame.jpeg for frame in frames), np.uint8),
        np.array([len(frame.jpeg) for frame in frames], np.int64),
        _to_rows([frame.pixels_sum for frame in frames]),
        _to_rows([frame.scaled_sum or nothing for frame in frames]),
    )
    return dict(zip(_FRAME_ARRAYS, values, strict=True))


def _to_rows(sums: list[bytes]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(sums), np.uint8).reshape(len(sums), _SUM_BYTES)


def _unpack_frames(arrays: dict[str, npt.NDArray[Any]]) -> tuple[GoldenFrame, ...]:
    if not set(_FRAME_ARRAYS) & set(arrays):
        return ()
    content, lengths = arrays["jpegs"].tobytes(), arrays["jpeg_bytes"].tolist()
    pixel_sums, scaled_sums = (arrays[name] for name in _FRAME_ARRAYS[2:])
    if min(lengths, default=0) < 1 or sum(lengths) != len(content):
        raise InvalidValueError("golden.npz cannot be read: its frames have other lengths")
    ends = np.cumsum(lengths).tolist()
    return tuple(
        GoldenFrame(
            content[end - length : end],
            pixels.tobytes(),
            scaled.tobytes() if scaled.any() else b"",
        )
        for end, length, pixels, scaled in zip(ends, lengths, pixel_sums, scaled_sums, strict=True)
    )
