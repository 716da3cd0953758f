"""What the first bytes of a picture say: its format and size, without decoding it."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Final

from edgecls.errors import PictureError
from edgecls.imaging.scans import find_jpeg_frame

_HEIC_BRANDS: Final = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_MOST_PIXELS_A_BYTE: Final = 512

_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_ENTRIES: Final = 64
# Width and height; before and between them white space and notes.
_PNM_SIZE: Final = re.compile(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s")
_PNM_HEADER_BYTES: Final = 1000


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says of itself.

    Args:
        format: By content, never by file name.
        size: (height, width), None if not known.
        frame_at: Where the frame header of a JPEG begins.
    """

    format: str
    size: tuple[int, int] | None = None
    frame_at: int = field(default=0, compare=False)


def read_header(content: bytes) -> Header:
    """Recognise a picture.

    Raises:
        PictureError: Empty, no picture, a kind that cannot be decoded, or cut off in its header.
    """
    if not content:
        raise PictureError("the file is empty")
    if content.startswith(b"\xff\xd8\xff"):
        frame_at = find_jpeg_frame(content)
        height, width = struct.unpack_from(">HH", content, frame_at + 5)
        return Header("JPEG", (height, width), frame_at)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Header("PNG", _png_size(content))
    if content[:6] in (b"GIF87a", b"GIF89a") and len(content) >= 10:
        width, height = struct.unpack_from("<HH", content, 6)
        return Header("GIF", (height, width))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Header("WebP", _webp_size(content))
    if content[:2] == b"BM" and len(content) >= 26:
        # The oldest header, of 12 bytes, has sides of 16 bits.
        sides = "<HH" if content[14:18] == b"\x0c\0\0\0" else "<ii"
        width, height = struct.unpack_from(sides, content, 18)
        return Header("BMP", (abs(height), abs(width)))
    if content[:4] in (b"II*\0", b"MM\0*"):
        return Header("TIFF", _tiff_size(content))
    if content[4:8] == b"ftyp":
        if content[8:12] in _HEIC_BRANDS:
            raise PictureError(
                "HEIC pictures are not supported",
                hint="export it as JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible)",
            )
        if content[8:12] in (b"avif", b"avis"):
            return Header("AVIF")
    if content[:2] in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"):
        return Header("PNM", _pnm_size(content))
    raise PictureError("it is not a picture of a known kind", hint="use JPEG, PNG, WebP or BMP")


def check_jpeg_end(content: bytes) -> None:
    """Check that the scan of a JPEG comes to its end; older OpenCVs fill up what is missing.

    Raises:
        PictureError: The end mark is missing.
    """
    scan = content.find(b"\xff\xda", find_jpeg_frame(content))
    # Inside a scan the byte 0xFF is always followed by 0 or a restart mark, so this is the end.
    # Nearly always it stands last; searching for it costs as much as decoding a small picture.
    if scan < 0 or (not content.endswith(b"\xff\xd9") and content.find(b"\xff\xd9", scan) < 0):
        raise PictureError("the JPEG is cut off")


def check_jpeg_length(header: Header, content: bytes) -> None:
    """Check that there are enough bytes for so many pixels; OpenCV fills up what is missing.

    A block of 8x8 pixels takes a bit at least, so a byte holds 512 of them at most. A photograph
    has 10 or fewer a byte, a picture of one colour about 85.

    Raises:
        PictureError: They are fewer.
    """
    height, width = header.size or (0, 0)
    if height * width > _MOST_PIXELS_A_BYTE * len(content):
        raise PictureError(
            f"the JPEG is cut off: {width}x{height} pixels are not in {len(content)} bytes"
        )


def _png_size(content: bytes) -> tuple[int, int]:
    if len(content) < 33 or content[12:16] != b"IHDR":
        raise PictureError("the PNG is cut off")
    width, height = struct.unpack_from(">II", content, 16)
    return height, width


def _tiff_size(content: bytes) -> tuple[int, int] | None:
    """Of the first picture (TIFF 6.0, section 2); None where its directory is not understood."""
    order = "<" if content.startswith(b"II") else ">"
    sides = {_TIFF_WIDTH: 0, _TIFF_HEIGHT: 0}
    try:
        (place,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, place)
        for number in range(min(count, _TIFF_ENTRIES)):
            tag, kind = struct.unpack_from(f"{order}HH", content, place + 2 + 12 * number)
            if tag in sides and kind in (3, 4):  # of 16 or 32 bits
                form = order + ("H" if kind == 3 else "I")
                (sides[tag],) = struct.unpack_from(form, content, place + 10 + 12 * number)
    except struct.error:
        return None
    width, height = sides.values()
    return (height, width) if height and width else None


def _pnm_size(content: bytes) -> tuple[int, int] | None:
    found = _PNM_SIZE.match(content[:_PNM_HEADER_BYTES])
    return (int(found[2]), int(found[1])) if found else None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    kind = content[12:16]
    if kind == b"VP8X" and len(content) >= 30:
        width = int.from_bytes(content[24:27], "little") + 1
        return int.from_bytes(content[27:30], "little") + 1, width
    if kind == b"VP8 " and len(content) >= 30:
        width, height = struct.unpack_from("<HH", content, 26)
        return height & 0x3FFF, width & 0x3FFF
    if kind == b"VP8L" and len(content) >= 25:
        bits = int.from_bytes(content[21:25], "little")
        return ((bits >> 14) & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    return None
