"""What a PNG may hold beside its pixels: texts and pixels too many, which keep a decoder busy."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from edgecls.errors import PictureError

# Compressed words and profiles of colour, which no frame needs: libpng unpacks 8 MB out of 8 KB of
# them, and 1,000 took 32 s. (A colour profile is not applied.)
_PACKED: Final = frozenset((b"zTXt", b"iTXt", b"iCCP"))
# Writers give pixels in pieces of 8 KB or more.
_MOST_CHUNKS: Final = 1 << 16
# zlib packs at most 1,032 bytes into one, so that this much unpacks within a second.
_HARMLESS_BYTES: Final = 1 << 20
_STEP_BYTES: Final = 1 << 20
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Interlaced rows have filter bytes of their own, at most 15 for 8 rows; some writers add a little.
_SPARE_BYTES_A_ROW: Final = 16
_SPARE_BYTES: Final = 1 << 16


def check_png(content: bytes) -> None:
    """Check the length and CRC-32 of every chunk, and that there are no more pixels than it says.

    A decoder would only hint at wrong sums, and unpacks to their end what pixels there are.

    Raises:
        PictureError: A chunk is damaged or missing, or there are too many chunks or pixels.
    """
    packed_bytes = 0
    for number, (kind, start, end) in enumerate(_chunks(content)):
        (expected,) = struct.unpack_from(">I", content, end)
        if zlib.crc32(memoryview(content)[start - 4 : end]) != expected:
            raise PictureError(f"the PNG is damaged: wrong checksum in its {kind!r} part")
        if kind == b"IDAT":
            packed_bytes += end - start
        if kind == b"IEND":
            break
        if number >= _MOST_CHUNKS:
            raise PictureError(f"the PNG is damaged: it has more than {_MOST_CHUNKS} parts")
    else:
        raise PictureError("the PNG is cut off")
    if packed_bytes > _HARMLESS_BYTES:
        _check_pixels(content)


def without_packed_texts(content: bytes) -> bytes:
    """A checked PNG without what is packed in it beside pixels; as it is where there is none."""
    kept, is_whole, begin = [content[:8]], True, 8
    for kind, _, end in _chunks(content):
        if kind in _PACKED:
            is_whole = False
        else:
            kept.append(content[begin : end + 4])
        begin = end + 4
        if kind == b"IEND":
            break
    return content if is_whole else b"".join(kept)


def _check_pixels(content: bytes) -> None:
    """Unpack the pixels bit by bit, and keep none of them."""
    width, height, depth, color = struct.unpack_from(">IIBB", content, 16)
    row_bytes = -(-width * depth * _SAMPLES.get(color, 4) // 8) + _SPARE_BYTES_A_ROW
    left = height * row_bytes + _SPARE_BYTES
    unpacking = zlib.decompressobj()
    try:
        for kind, start, end in _chunks(content):
            if kind != b"IDAT":
                continue
            packed = content[start:end]
            while packed and left >= 0 and not unpacking.eof:
                left -= len(unpacking.decompress(packed, _STEP_BYTES))
                packed = unpacking.unconsumed_tail
    except zlib.error:
        return  # the decoder says what it makes of it
    if left < 0:
        raise PictureError("the PNG is damaged: it holds more pixels than its size says")


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and beginning and end of the content, of every chunk that is there as a whole."""
    position = 8
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            return
        yield kind, position + 8, end
        position = end + 4
