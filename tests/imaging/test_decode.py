"""Decoding: what is a picture becomes an upright RGB frame, the rest a message."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.errors import PictureError
from edgecls.imaging.decode import decode
from edgecls.imaging.opencv import cv2
from edgecls.pictures.folder import read_picture
from tests.support import odd_pictures as odd

# Four blocks that no turn or flip maps onto themselves; 16 pixels, so that JPEG keeps them apart.
UPRIGHT = np.repeat(np.repeat(np.array([[0, 80, 160], [200, 240, 40]], np.uint8), 16, 0), 16, 1)
UPRIGHT = np.repeat(UPRIGHT[:, :, None], 3, axis=2)


def encoded(kind: str, frame: Any, *options: int) -> bytes:
    """An RGB or gray frame in a format of OpenCV."""
    stored = frame[:, :, ::-1] if frame.ndim == 3 else frame
    return bytes(cv2.imencode(kind, np.ascontiguousarray(stored), options)[1])


def photograph(size: int = 200) -> Any:
    """Something that does not compress to nothing: waves and noise, RGB."""
    rows, columns = np.mgrid[:size, :size]
    noise = np.random.default_rng(1).integers(0, 30, (size, size, 3))
    waves = np.stack([np.sin(rows / 9), np.cos(columns / 7), np.sin((rows + columns) / 11)], -1)
    return (100 + 60 * waves + noise).astype(np.uint8)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(".png", id="PNG"),
        pytest.param(".bmp", id="BMP"),
        pytest.param(".tiff", id="TIFF"),
        pytest.param(".ppm", id="PNM"),
    ],
)
def test_a_lossless_picture_is_exactly_its_pixels(kind: str) -> None:
    frame = photograph(31)
    decoded = decode(encoded(kind, frame))
    assert (decoded.dtype, decoded.shape) == (np.dtype(np.uint8), (31, 31, 3))
    assert np.array_equal(decoded, frame)


def test_webp_without_loss_is_exactly_its_pixels() -> None:
    frame = photograph(31)
    assert np.array_equal(decode(encoded(".webp", frame, cv2.IMWRITE_WEBP_QUALITY, 101)), frame)


def test_the_first_channel_is_red() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[:, :, 0] = 255
    assert decode(encoded(".png", red))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.fault(29)
def test_gray_is_spread_over_three_channels() -> None:
    assert decode(encoded(".jpg", np.full((16, 16), 100, np.uint8)))[0, 0].tolist() == [100] * 3


PALETTE = odd.png_chunk(b"PLTE", bytes((0, 0, 0, 10, 200, 30)))


@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("content", "pixel"),
    [
        pytest.param(
            odd.png((1, 1), odd.GRAY, b"\0\x12\xff", bits=16), [0x12] * 3, id="16-bit gray"
        ),
        pytest.param(
            odd.png((1, 1), odd.RGB, b"\0\x12\xff\x34\x00\x56\x80", bits=16),
            [0x12, 0x34, 0x56],
            id="16-bit colour keeps the upper 8 bits",
        ),
        pytest.param(
            odd.png((1, 1), odd.PALETTE, b"\0\x01", chunks=PALETTE), [10, 200, 30], id="a palette"
        ),
        pytest.param(
            odd.png(
                (1, 1), odd.PALETTE, b"\0\x01", chunks=PALETTE + odd.png_chunk(b"tRNS", b"\0\0")
            ),
            [10, 200, 30],
            id="a palette with alpha",
        ),
        pytest.param(odd.png((1, 2), odd.GRAY, b"\0\x80", bits=1), [255] * 3, id="1 bit a pixel"),
        pytest.param(odd.png((1, 1), odd.GRAY_ALPHA, b"\0\x64\0"), [100] * 3, id="gray and alpha"),
        pytest.param(
            odd.png((1, 1), odd.RGB_ALPHA, b"\0\x0a\x14\x1e\0"),
            [10, 20, 30],
            id="the colour beneath a transparent pixel",
        ),
    ],
)
def test_an_unusual_png_is_converted_as_documented(content: bytes, pixel: list[int]) -> None:
    assert decode(content)[0, 0].tolist() == pixel


def saved_by_pillow(pictures: list[Any], kind: str, **options: Any) -> bytes:
    """What Pillow writes; it knows more kinds than OpenCV."""
    packed = io.BytesIO()
    pictures[0].save(
        packed, kind, **(options | ({"append_images": pictures[1:]} if pictures[1:] else {}))
    )
    return packed.getvalue()


@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("inks", "pixel"),
    [
        pytest.param((255, 0, 0, 0), [0, 255, 255], id="cyan ink takes red away"),
        pytest.param((0, 0, 0, 255), [0, 0, 0], id="black ink takes all away"),
        pytest.param((0, 0, 0, 0), [255, 255, 255], id="no ink is white paper"),
    ],
)
def test_cmyk_is_converted_without_a_profile(inks: tuple[int, ...], pixel: list[int]) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow writes CMYK")
    content = saved_by_pillow([image.new("CMYK", (16, 16), inks)], "JPEG", quality=100)
    assert decode(content)[8, 8].tolist() == pytest.approx(pixel, abs=3)


@pytest.mark.fault(31)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("GIF", {}, id="GIF"),
        pytest.param("WEBP", {"lossless": True}, id="WebP"),
        pytest.param("PNG", {}, id="APNG"),
        pytest.param("TIFF", {}, id="TIFF with pages"),
    ],
)
def test_of_an_animation_the_first_picture_counts(kind: str, options: dict[str, Any]) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow writes animations")
    pictures = [image.new("RGB", (6, 4), color) for color in ("#ff0000", "#00ff00", "#0000ff")]
    content = saved_by_pillow(pictures, kind, save_all=True, **options)
    assert decode(content).tolist() == np.full((4, 6, 3), [255, 0, 0]).tolist()


@pytest.mark.fault(30)
@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_upright_whatever_its_orientation(orientation: int, order: str) -> None:
    stored = encoded(".jpg", odd.stored_for(orientation, UPRIGHT), cv2.IMWRITE_JPEG_QUALITY, 100)
    frame = decode(odd.with_exif(stored, odd.exif(orientation, order)))
    assert frame.shape == UPRIGHT.shape
    assert np.abs(frame.astype(int) - UPRIGHT).max() <= 2


@pytest.mark.fault(30)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_png_is_upright_whatever_its_orientation(orientation: int) -> None:
    stored = odd.stored_for(orientation, UPRIGHT)
    rows = b"".join(b"\0" + row.tobytes() for row in stored)
    block = odd.png_chunk(b"eXIf", odd.exif(orientation))
    content = odd.png(stored.shape[:2], odd.RGB, rows, chunks=block)
    assert np.array_equal(decode(content), UPRIGHT)


@pytest.mark.fault(30)
@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation: int) -> None:
    stored = encoded(".jpg", UPRIGHT, cv2.IMWRITE_JPEG_QUALITY, 100)
    frame = decode(odd.with_exif(stored, odd.exif(orientation)))
    assert np.abs(frame.astype(int) - UPRIGHT).max() <= 2


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"II*\0", id="cut off"),
        pytest.param(b"II*\0\xff\xff\xff\xff" + bytes(20), id="pointing out of itself"),
        pytest.param(b"II*\0\x08\0\0\0\xff\xff" + bytes(20), id="claiming 65,535 entries"),
        pytest.param(bytes(100), id="zeros"),
    ],
)
def test_a_damaged_exif_block_does_no_harm(block: bytes) -> None:
    stored = encoded(".jpg", UPRIGHT, cv2.IMWRITE_JPEG_QUALITY, 100)
    assert decode(odd.with_exif(stored, block)).shape == UPRIGHT.shape


@pytest.mark.fault(41)
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (3, 2)])
def test_very_thin_pictures_are_pictures(size: tuple[int, int]) -> None:
    frame = np.full((*size, 3), 77, np.uint8)
    assert np.array_equal(decode(encoded(".png", frame)), frame)


ENCODINGS = [
    pytest.param(".jpg", (), id="JPEG"),
    pytest.param(".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), id="progressive JPEG"),
    pytest.param(".png", (), id="PNG"),
    pytest.param(".webp", (cv2.IMWRITE_WEBP_QUALITY, 80), id="WebP"),
    pytest.param(".webp", (cv2.IMWRITE_WEBP_QUALITY, 101), id="lossless WebP"),
    pytest.param(".bmp", (), id="BMP"),
    pytest.param(".tiff", (), id="TIFF"),
    pytest.param(".ppm", (), id="PNM"),
]


@pytest.mark.fault(23)
@pytest.mark.parametrize(("kind", "options"), ENCODINGS)
def test_a_picture_that_is_cut_off_is_unreadable(kind: str, options: tuple[int, ...]) -> None:
    whole = encoded(kind, photograph(), *options)
    assert decode(whole).shape == (200, 200, 3)
    for length in {*np.linspace(0, len(whole) - 1, 60, dtype=int), *range(len(whole))[-8:]}:
        with pytest.raises(PictureError):
            decode(whole[:length])


@pytest.mark.parametrize(("kind", "options"), ENCODINGS)
def test_a_damaged_picture_is_a_frame_or_an_error_of_ours(
    kind: str, options: tuple[int, ...]
) -> None:
    whole = np.frombuffer(encoded(kind, photograph(64), *options), np.uint8)
    random = np.random.default_rng(2)
    for _ in range(150):
        mutant = whole.copy()
        mutant[random.integers(0, min(400, len(whole)), 2)] = random.integers(0, 256, 2)
        try:
            frame = decode(mutant.tobytes())
        except PictureError:
            continue
        assert (frame.dtype.name, frame.ndim, frame.shape[2]) == ("uint8", 3, 3)


def flipped(content: bytes, place: int) -> bytes:
    """With all bits of one byte turned."""
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        pytest.param(b"IHDR", "wrong checksum in its b'IHDR' part", id="in the header"),
        pytest.param(b"IDAT", "wrong checksum in its b'IDAT' part", id="in the pixels"),
    ],
)
def test_a_png_with_a_bad_checksum_is_unreadable(kind: bytes, message: str) -> None:
    content = encoded(".png", photograph(8))
    place = content.index(kind)
    (length,) = struct.unpack_from(">I", content, place - 4)
    with pytest.raises(PictureError, match=message):
        decode(flipped(content, place + 4 + length))


@pytest.mark.fault(25)
@pytest.mark.fault(32)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the file is empty", id="zero bytes"),
        pytest.param(b"\xff\xd8\xff", "cut off or damaged in its header", id="three bytes of JPEG"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "the PNG is cut off", id="eight bytes of PNG"),
        pytest.param(b"hello, world\n", "not a picture of a known kind", id="text"),
        pytest.param(bytes(1000), "not a picture of a known kind", id="zeros"),
        pytest.param(
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC pictures are not supported", id="HEIC"
        ),
        pytest.param(b"\0\0\0\x18ftypisom\0\0\0\0", "not a picture of a known kind", id="MP4"),
        pytest.param(b"%PDF-1.7", "not a picture of a known kind", id="PDF"),
        pytest.param(odd.png((0, 5), odd.RGB, b""), "claims 5x0 pixels", id="no rows"),
        pytest.param(odd.jpeg_header((0, 16)), "claims 16x0 pixels", id="a JPEG without rows"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        decode(content)


@pytest.mark.fault(32)
def test_heic_comes_with_a_way_out() -> None:
    with pytest.raises(PictureError) as refused:
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert "export it as JPEG" in refused.value.hint


@pytest.mark.fault(26)
def test_the_extension_of_a_file_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "really-a-png.jpg").write_bytes(encoded(".png", UPRIGHT))
    assert np.array_equal(read_picture(tmp_path / "really-a-png.jpg"), UPRIGHT)


def test_the_message_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "half.jpg").write_bytes(encoded(".jpg", UPRIGHT)[:200])
    with pytest.raises(PictureError, match=r"half\.jpg': the JPEG is cut off"):
        read_picture(tmp_path / "half.jpg")
