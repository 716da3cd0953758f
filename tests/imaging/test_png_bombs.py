"""PNGs that unpack to far more than the pixels they claim: refused, or read without the rest."""

from __future__ import annotations

import zlib

import pytest

from edgecls.errors import PictureError
from edgecls.imaging import png
from edgecls.imaging.decode import decode
from tests.support import odd_pictures as odd

SIZE = (64, 64)
ROWS = (b"\0" + b"\x5a" * 64 * 3) * 64


def packed(millions: int, level: int = 9) -> bytes:
    """So many million zeros, in a thousandth of it (level 9) or in 1/230 (level 1)."""
    packing = zlib.compressobj(level)
    parts = [packing.compress(bytes(1_000_000)) for _ in range(millions)]
    return b"".join(parts) + packing.flush()


# 7 KB each, which libpng unpacks to the 8 MB that it allows a text to have.
TEXT = packed(7)


@pytest.mark.fault(127)
@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(odd.png_chunk(b"zTXt", b"Comment\0\0" + TEXT), id="texts"),
        pytest.param(odd.png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + TEXT), id="international texts"),
        pytest.param(odd.png_chunk(b"iCCP", b"ICC\0\0" + TEXT), id="colour profiles"),
    ],
)
def test_what_is_packed_beside_the_pixels_of_a_png_is_not_unpacked(chunk: bytes) -> None:
    picture = odd.png(SIZE, odd.RGB, ROWS, chunks=chunk * 1000)
    plain = png.without_packed_texts(picture)
    assert len(plain) < 1000 < len(picture)
    assert (decode(picture) == 0x5A).all()


def test_a_png_without_texts_is_not_copied() -> None:
    picture = odd.png(SIZE, odd.RGB, ROWS)
    assert png.without_packed_texts(picture) is picture


@pytest.mark.fault(127)
def test_a_png_of_more_pixels_than_its_size_says_is_refused() -> None:
    picture = odd.png(SIZE, odd.RGB, b"")
    with_more = picture.replace(odd.png_chunk(b"IDAT", zlib.compress(b"")), b"")[:33]
    bomb = with_more + odd.png_chunk(b"IDAT", packed(400, level=1)) + odd.png_chunk(b"IEND", b"")
    with pytest.raises(PictureError, match="holds more pixels than its size says"):
        decode(bomb)


@pytest.mark.fault(127)
def test_a_png_of_very_many_parts_is_refused() -> None:
    with pytest.raises(PictureError, match="has more than 65536 parts"):
        decode(odd.png(SIZE, odd.RGB, ROWS, chunks=odd.png_chunk(b"tIME", b"") * 70_000))


@pytest.mark.parametrize("color", [odd.GRAY, odd.RGB, odd.RGB_ALPHA])
def test_a_large_png_that_packs_badly_is_read(color: int) -> None:
    samples = {odd.GRAY: 1, odd.RGB: 3, odd.RGB_ALPHA: 4}[color]
    row = bytes(index * 7919 % 251 ^ index * 31 % 256 for index in range(2000 * samples))
    rows = b"".join(bytes([0]) + row[shift:] + row[:shift] for shift in range(1000))
    assert decode(odd.png((1000, 2000), color, rows)).shape == (1000, 2000, 3)
