"""Pictures that no camera makes, written byte by byte."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

GRAY, RGB, PALETTE, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6  # colour types of PNG


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Length, kind, content and CRC-32."""
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(
    size: tuple[int, int],
    color_type: int,
    rows: bytes,
    *,
    bits: int = 8,
    chunks: bytes = b"",
) -> bytes:
    """A PNG.

    Args:
        size: (height, width).
        color_type: 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGB and alpha.
        rows: The bytes of all rows, each behind its filter byte 0.
        bits: Per sample.
        chunks: What stands between the header and the pixels, such as the palette.
    """
    header = struct.pack(">IIBBBBB", size[1], size[0], bits, color_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + chunks
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def exif(orientation: int, order: str = "<") -> bytes:
    """An EXIF block that holds an orientation (1 to 8) and nothing else; `order` as in struct."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


def with_exif(jpeg: bytes, block: bytes) -> bytes:
    """A JPEG with an EXIF block behind its first marker."""
    content = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def stored_for(orientation: int, upright: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """How a camera stores an upright picture under an orientation.

    Source:
        CIPA DC-008 (EXIF 2.32), tag 0x0112: which side row 0 and column 0 of the file are.
    """
    stored = {
        1: upright,  # row 0 is the top, column 0 the left
        2: np.fliplr(upright),  # top, right
        3: np.rot90(upright, 2),  # bottom, right
        4: np.flipud(upright),  # bottom, left
        5: upright.swapaxes(0, 1),  # left, top
        6: np.rot90(upright, 1),  # right, top
        7: np.rot90(upright, 2).swapaxes(0, 1),  # right, bottom
        8: np.rot90(upright, -1),  # left, bottom
    }[orientation]
    return np.ascontiguousarray(stored)


def jpeg_header(size: tuple[int, int]) -> bytes:
    """The beginning of a JPEG that claims a (height, width)."""
    frame = struct.pack(">HBHHB", 17, 8, size[0], size[1], 3) + bytes(
        (1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1)
    )
    return b"\xff\xd8\xff\xc0" + frame + bytes(64) + b"\xff\xd9"


def gif_header(size: tuple[int, int]) -> bytes:
    """The beginning of a GIF that claims a (height, width)."""
    screen = struct.pack("<HHBBB", size[1], size[0], 0x80, 0, 0) + bytes(6)
    image = b"," + struct.pack("<HHHHB", 0, 0, size[1], size[0], 0)
    return b"GIF89a" + screen + image + b"\x02\x02\x44\x01\x00;"


def bmp_header(size: tuple[int, int]) -> bytes:
    """The beginning of a BMP that claims a (height, width)."""
    info = struct.pack("<IiiHHIIiiII", 40, size[1], size[0], 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54) + info + bytes(100)


def webp_header(size: tuple[int, int]) -> bytes:
    """The beginning of an extended WebP that claims a (height, width)."""
    canvas = (size[1] - 1).to_bytes(3, "little") + (size[0] - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas + b"VP8L" + bytes(20)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_header(size: tuple[int, int]) -> bytes:
    """A TIFF of one 8-bit gray strip that claims a (height, width)."""
    tags = {256: size[1], 257: size[0], 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: size[0]}
    tags[279] = 100
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(204)


def pnm_header(size: tuple[int, int]) -> bytes:
    """The beginning of a PPM that claims a (height, width)."""
    return f"P6\n{size[1]} {size[0]}\n255\n".encode() + bytes(100)


def png_header(size: tuple[int, int]) -> bytes:
    """A sound PNG of one bit a pixel that claims a (height, width) and is one row long."""
    return png(size, GRAY, bytes(1 + (size[1] + 7) // 8), bits=1)
