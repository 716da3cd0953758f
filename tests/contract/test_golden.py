"""Golden vectors: equal bytes for equal vectors, and nothing hostile gets in."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest

from edgecls.contract.golden import GoldenFrame, GoldenVectors, fingerprint
from edgecls.errors import InvalidValueError, ShapeError

IMAGES = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
OUTPUTS = np.array([[0, 255], [128, 127]], np.uint8)
FRAMES = (GoldenFrame(b"first", bytes(32)), GoldenFrame(b"second one", b"p" * 32, b"s" * 32))


def npz(**arrays: Any) -> bytes:
    """What `numpy.savez_compressed` makes of arrays."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def test_vectors_come_back_as_they_were() -> None:
    again = GoldenVectors.from_npz(GoldenVectors(IMAGES, OUTPUTS).to_npz())
    assert len(again) == 2
    assert again.images.tolist() == IMAGES.tolist()
    assert again.outputs.tolist() == OUTPUTS.tolist()


def test_equal_vectors_are_equal_bytes() -> None:
    assert (
        GoldenVectors(IMAGES, OUTPUTS).to_npz()
        == GoldenVectors(IMAGES.copy(), OUTPUTS.copy()).to_npz()
    )


def test_frames_come_back_as_they_were() -> None:
    again = GoldenVectors.from_npz(GoldenVectors(IMAGES, OUTPUTS, FRAMES).to_npz())
    assert again.frames == FRAMES


def test_files_of_before_there_were_frames_have_none() -> None:
    assert GoldenVectors.from_npz(npz(images=IMAGES, outputs=OUTPUTS)).frames == ()


def test_a_fingerprint_tells_pixels_and_shapes_apart() -> None:
    pixels = np.arange(12, dtype=np.uint8)
    assert fingerprint(pixels.reshape(2, 2, 3)) == fingerprint(pixels.copy().reshape(2, 2, 3))
    assert fingerprint(pixels.reshape(2, 2, 3)) != fingerprint(pixels.reshape(1, 4, 3))
    assert fingerprint(pixels[::-1]) == fingerprint(pixels[::-1].copy()) != fingerprint(pixels)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        pytest.param((b"", bytes(32)), "a golden frame is empty", id="no picture"),
        pytest.param((b"x", b"short"), "have 5 and 0 bytes, wanted 32", id="half a sum"),
        pytest.param((b"x", bytes(32), b"s"), "have 32 and 1 bytes", id="a short sum of an image"),
    ],
)
def test_a_frame_refuses(frame: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        GoldenFrame(*frame)


def test_as_many_frames_as_images_or_none() -> None:
    with pytest.raises(ShapeError, match="1 golden frames and 2 images"):
        GoldenVectors(IMAGES, OUTPUTS, FRAMES[:1])


@pytest.mark.parametrize(
    ("lengths", "content"),
    [
        pytest.param([3, 3], b"first", id="one beyond the end"),
        pytest.param([-1, 6], b"first", id="one that ends before it begins"),
        pytest.param([0, 5], b"first", id="an empty one"),
        pytest.param([2], b"first", id="one that is missing"),
    ],
)
def test_frames_that_lie_about_their_lengths_are_refused(
    lengths: list[int], content: bytes
) -> None:
    packed = npz(
        images=IMAGES,
        outputs=OUTPUTS,
        jpegs=np.frombuffer(content, np.uint8),
        jpeg_bytes=np.array(lengths),
        pixel_sums=np.zeros((2, 32), np.uint8),
        scaled_sums=np.zeros((2, 32), np.uint8),
    )
    with pytest.raises(InvalidValueError, match="its frames have other lengths"):
        GoldenVectors.from_npz(packed)


def test_numpy_itself_can_read_them() -> None:
    with np.load(io.BytesIO(GoldenVectors(IMAGES, OUTPUTS).to_npz())) as arrays:
        assert arrays["outputs"].tolist() == OUTPUTS.tolist()


@pytest.mark.parametrize(
    ("images", "outputs", "message"),
    [
        pytest.param(IMAGES.astype(float), OUTPUTS, "golden images are float64", id="float images"),
        pytest.param(IMAGES[0], OUTPUTS, "wanted uint8", id="one image without a list"),
        pytest.param(IMAGES, OUTPUTS.astype(int), "golden outputs are int64", id="int64 outputs"),
        pytest.param(IMAGES, OUTPUTS[0], "wanted uint8, int8 or float32", id="one output"),
        pytest.param(IMAGES, OUTPUTS[:1], "2 golden images and 1 outputs", id="one output too few"),
        pytest.param(IMAGES[:0], OUTPUTS[:0], "at least one", id="none at all"),
    ],
)
def test_vectors_refuse(images: Any, outputs: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        GoldenVectors(images, outputs)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "golden.npz cannot be read", id="nothing"),
        pytest.param(b"PK\x03\x04" + bytes(40), "golden.npz cannot be read", id="no ZIP"),
        pytest.param(npz(images=IMAGES), "outputs", id="outputs are missing"),
        pytest.param(
            npz(images=np.array([{"a": 1}]), outputs=OUTPUTS), "cannot be read", id="a pickle"
        ),
        pytest.param(npz(images=IMAGES, outputs=np.zeros(3)), "<f8", id="another array"),
        pytest.param(
            npz(
                images=np.zeros((65, 1024, 1024, 1), np.uint8), outputs=np.zeros((65, 2), np.uint8)
            ),
            r"^golden\.npz unpacks to more than 64 MiB$",
            id="a bomb: 65 MiB of zeros in 66 KB",
        ),
    ],
)
def test_what_holds_no_vectors_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        GoldenVectors.from_npz(content)


def test_an_array_that_claims_a_terabyte_is_refused() -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,), }"
    hostile = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("images.npy", hostile)
        archive.writestr("outputs.npy", hostile)
    with pytest.raises(InvalidValueError, match=r"golden\.npz cannot be read"):
        GoldenVectors.from_npz(packed.getvalue())


def test_damage_anywhere_is_an_error_of_ours_or_harmless() -> None:
    sound = GoldenVectors(IMAGES, OUTPUTS, FRAMES).to_npz()
    random = np.random.default_rng(3)
    refused = 0
    for _ in range(1500):
        damaged = bytearray(sound)
        damaged[random.integers(len(sound))] ^= 1 << random.integers(8)
        try:
            GoldenVectors.from_npz(bytes(damaged))
        except (InvalidValueError, ShapeError):
            refused += 1
    assert refused > 1000  # dates and attributes in a ZIP may be anything
    for length in range(len(sound)):
        with pytest.raises(InvalidValueError):
            GoldenVectors.from_npz(sound[:length])
