"""Preparation: geometry and colour by hand, in place, from any frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import ShapeError
from edgecls.imaging.prepare import crop_center, prepare

NOISE = np.random.default_rng(4).integers(0, 256, (37, 53, 3), np.uint8)


def gray_frame(rows: list[list[int]]) -> Any:
    """A frame whose three channels are alike."""
    return np.repeat(np.array(rows, np.uint8)[:, :, None], 3, axis=2)


def numbered(height: int, width: int) -> Any:
    """A frame whose pixels count from 0, row by row."""
    return gray_frame(np.arange(height * width).reshape(height, width).tolist())


def levels(image: Any) -> list[list[int]]:
    """The first channel as plain numbers."""
    return image[:, :, 0].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("crop", ["center", "stretch", "pad"])
def test_a_frame_of_the_models_size_is_its_image(crop: Any) -> None:
    assert np.array_equal(prepare(NOISE, Preprocessing((37, 53), crop=crop)), NOISE)


@pytest.mark.parametrize(
    ("frame", "size", "image"),
    [
        pytest.param(gray_frame([[0, 4], [8, 12]]), (1, 1), [[6]], id="the mean of four"),
        pytest.param(gray_frame([[1, 1], [2, 2]]), (1, 1), [[2]], id="a half of four goes up"),
        pytest.param(gray_frame([[1, 1], [1, 2]]), (1, 1), [[1]], id="a quarter goes down"),
        pytest.param(
            gray_frame([[0, 0, 8, 8], [4, 4, 12, 12]]), (1, 2), [[2, 10]], id="two blocks"
        ),
        pytest.param(
            gray_frame([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 64, 64], [0, 0, 64, 64]]),
            (1, 1),
            [[16]],
            id="halved twice",
        ),
    ],
)
def test_exact_halving(frame: Any, size: tuple[int, int], image: list[list[int]]) -> None:
    assert levels(prepare(frame, Preprocessing(size))) == image


# numbered(4, 6):   0  1  2  3  4  5
#                   6  7  8  9 10 11
#                  12 13 14 15 16 17
#                  18 19 20 21 22 23
@pytest.mark.parametrize(
    ("preprocessing", "image"),
    [
        pytest.param(
            Preprocessing((4, 4)),
            [[1, 2, 3, 4], [7, 8, 9, 10], [13, 14, 15, 16], [19, 20, 21, 22]],
            id="centre: the middle square",
        ),
        pytest.param(
            Preprocessing((2, 2), crop_fraction=0.5),
            [[8, 9], [14, 15]],
            id="centre: half of the middle square",
        ),
        pytest.param(
            Preprocessing((1, 6)),
            [[6, 7, 8, 9, 10, 11]],
            id="centre: one row of six keeps all columns",
        ),
        pytest.param(
            Preprocessing((4, 3), crop="stretch"),
            # Pairs of columns, 0.5, 2.5, 4.5 and so on: a half of two goes to the even number.
            [[0, 2, 4], [6, 8, 10], [12, 14, 16], [18, 20, 22]],
            id="stretch: columns are halved, rows are not",
        ),
        pytest.param(
            Preprocessing((6, 6), crop="pad"),
            [
                [0] * 6,
                [0, 1, 2, 3, 4, 5],
                [6, 7, 8, 9, 10, 11],
                [12, 13, 14, 15, 16, 17],
                [18, 19, 20, 21, 22, 23],
                [0] * 6,
            ],
            id="pad: black above and below",
        ),
        pytest.param(
            Preprocessing((2, 5), crop="pad"),
            # Half the size is 2 x 3: means of 2 x 2 blocks, 3.5 -> 4 and so on, in the middle.
            [[0, 4, 6, 8, 0], [0, 16, 18, 20, 0]],
            id="pad: black left and right",
        ),
    ],
)
def test_geometry(preprocessing: Preprocessing, image: list[list[int]]) -> None:
    assert levels(prepare(numbered(4, 6), preprocessing)) == image


@pytest.mark.parametrize(
    ("size", "fraction", "shape"),
    [
        pytest.param((224, 224), 1.0, (480, 480, 3), id="a square of a VGA frame"),
        pytest.param((224, 224), 0.875, (420, 420, 3), id="seven eighths of it"),
        pytest.param((96, 128), 1.0, (480, 640, 3), id="a frame of the same shape is kept whole"),
        pytest.param((100, 50), 1.0, (480, 240, 3), id="an upright strip"),
        pytest.param((1, 1), 0.001, (1, 1, 3), id="never less than a pixel"),
    ],
)
def test_the_middle_has_the_shape_of_the_image(
    size: tuple[int, int], fraction: float, shape: tuple[int, int, int]
) -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    middle = crop_center(frame, size, fraction)
    assert middle.shape == shape
    assert np.shares_memory(middle, frame)


@pytest.mark.parametrize(
    ("color", "luma"),
    [
        pytest.param((255, 0, 0), 76, id="red: 0.299 * 255 = 76.2"),
        pytest.param((0, 255, 0), 150, id="green: 0.587 * 255 = 149.7"),
        pytest.param((0, 0, 255), 29, id="blue: 0.114 * 255 = 29.1"),
        pytest.param((255, 255, 255), 255, id="white stays white"),
        pytest.param((77, 77, 77), 77, id="gray stays gray"),
    ],
)
@pytest.mark.parametrize("side", [4, 9, 16, 40])
def test_gray_is_the_luma_of_bt_601(color: tuple[int, ...], luma: int, side: int) -> None:
    frame = np.full((side, side, 3), color, np.uint8)
    image = prepare(frame, Preprocessing((9, 9), "GRAY"))
    assert image.shape == (9, 9, 1)
    assert set(image.ravel().tolist()) == {luma}


@pytest.mark.parametrize("crop", ["center", "stretch"])
@pytest.mark.parametrize("channels", ["RGB", "GRAY"])
@pytest.mark.parametrize(
    "frame_size",
    [
        (1, 1),
        (1, 500),
        (500, 1),
        (2, 3),
        (7, 31),
        (8, 8),
        (15, 17),
        (33, 65),
        (479, 641),
        (9, 4096),
    ],
)
def test_one_colour_stays_one_colour(frame_size: tuple[int, int], channels: Any, crop: Any) -> None:
    frame = np.full((*frame_size, 3), 201, np.uint8)
    image = prepare(frame, Preprocessing((8, 12), channels, crop))
    assert set(image.ravel().tolist()) == {201}


def test_a_black_border_is_all_that_padding_adds() -> None:
    image = prepare(np.full((1, 500, 3), 201, np.uint8), Preprocessing((10, 10), crop="pad"))
    assert levels(image)[4] == [201] * 10
    assert int(image.sum()) == 201 * 10 * 3


SHAPES = [
    pytest.param(Preprocessing((24, 24)), id="a smaller square"),
    pytest.param(Preprocessing((24, 24), "GRAY"), id="in gray"),
    pytest.param(Preprocessing((9, 9), crop="pad"), id="padded"),
    pytest.param(Preprocessing((9, 9), "GRAY", "pad"), id="padded in gray"),
    pytest.param(Preprocessing((80, 50), crop="stretch"), id="enlarged"),
    pytest.param(Preprocessing((37, 53)), id="as it is"),
    pytest.param(Preprocessing((37, 53), "GRAY"), id="as it is in gray"),
    pytest.param(Preprocessing((1, 1), "GRAY"), id="a single pixel"),
]


@pytest.mark.parametrize("preprocessing", SHAPES)
def test_out_is_written_in_place(preprocessing: Preprocessing) -> None:
    tensor = np.full((1, *preprocessing.shape), 7, np.uint8)
    assert np.shares_memory(prepare(NOISE, preprocessing, out=tensor[0]), tensor)
    assert np.array_equal(tensor[0], prepare(NOISE, preprocessing))


@pytest.mark.parametrize("preprocessing", SHAPES)
def test_out_may_be_a_part_of_something_larger(preprocessing: Preprocessing) -> None:
    height, width = preprocessing.size
    canvas = np.full((height + 4, width + 6, preprocessing.depth), 7, np.uint8)
    prepare(NOISE, preprocessing, out=canvas[2 : 2 + height, 3 : 3 + width])
    assert np.array_equal(canvas[2 : 2 + height, 3 : 3 + width], prepare(NOISE, preprocessing))
    canvas[2 : 2 + height, 3 : 3 + width] = 7
    assert set(canvas.ravel().tolist()) == {7}


@pytest.mark.parametrize("preprocessing", SHAPES)
@pytest.mark.parametrize(
    "view",
    [
        pytest.param(NOISE[:, ::-1], id="mirrored"),
        pytest.param(NOISE[::-1], id="upside down"),
        pytest.param(NOISE[:, :, ::-1], id="with its channels turned round"),
        pytest.param(NOISE[3:30, 5:40], id="a part of a larger one"),
        pytest.param(NOISE[::2, ::3], id="every other pixel"),
        pytest.param(NOISE.swapaxes(0, 1), id="turned on its side"),
    ],
)
def test_a_frame_may_be_a_view(view: Any, preprocessing: Preprocessing) -> None:
    expected = prepare(np.ascontiguousarray(view), preprocessing)
    assert np.array_equal(prepare(view, preprocessing), expected)


def test_the_frame_is_not_changed_and_may_be_read_only() -> None:
    frame = NOISE.copy()
    frame.flags.writeable = False
    for size in ((37, 53), (18, 26), (100, 100)):
        prepare(frame, Preprocessing(size))
        prepare(frame, Preprocessing(size, "GRAY"))
    assert np.array_equal(frame, NOISE)


def test_a_new_image_does_not_share_memory_with_its_frame() -> None:
    frame = NOISE.copy()
    assert not np.shares_memory(prepare(frame, Preprocessing((37, 53))), frame)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        pytest.param(NOISE.astype(np.float32), "this one is float32", id="floats"),
        pytest.param(NOISE[:, :, 0], r"this one is uint8 \(37, 53\)", id="two dimensions"),
        pytest.param(NOISE[:, :, :1], r"this one is uint8 \(37, 53, 1\)", id="one channel"),
        pytest.param(np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)", id="four channels"),
        pytest.param(NOISE[:0], r"\(0, 53, 3\)", id="no rows"),
        pytest.param(NOISE[None], r"\(1, 37, 53, 3\)", id="a batch"),
    ],
)
def test_what_is_no_frame_is_refused(frame: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        prepare(frame, Preprocessing((8, 8)))


@pytest.mark.parametrize(
    ("out", "message"),
    [
        pytest.param(np.zeros((8, 8, 3), np.float32), "'out' is float32", id="floats"),
        pytest.param(np.zeros((8, 9, 3), np.uint8), r"'out' is uint8 \(8, 9, 3\)", id="too wide"),
        pytest.param(np.zeros((8, 8), np.uint8), r"'out' is uint8 \(8, 8\)", id="no channels"),
    ],
)
def test_an_out_of_another_kind_is_refused(out: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        prepare(NOISE, Preprocessing((8, 8)), out=out)
