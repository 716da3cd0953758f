"""Preprocessing: what a card may ask of a picture."""

from __future__ import annotations

from typing import Any

import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import InvalidValueError


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"size": (0, 28)}, "size", id="no rows"),
        pytest.param({"size": (28, -1)}, "size", id="negative columns"),
        pytest.param({"size": (28, 4097)}, "1 to 4096", id="a side beyond every classifier"),
        pytest.param({"size": (28,)}, "size", id="one side"),
        pytest.param({"size": (28, 28, 3)}, "size", id="three sides"),
        pytest.param({"size": (28.0, 28.0)}, "size", id="sides that are no whole numbers"),
        pytest.param({"size": (True, True)}, "size", id="truth values for sides"),
        pytest.param({"channels": "BGR"}, "'BGR' is neither", id="another order of colours"),
        pytest.param({"channels": ""}, "'' is neither", id="no channels"),
        pytest.param({"crop": "middle"}, "'middle' is none of 'center'", id="an unknown crop"),
        pytest.param({"crop_fraction": 0.0}, r"not in \(0, 1\]", id="keeping nothing"),
        pytest.param({"crop_fraction": 1.1}, r"not in \(0, 1\]", id="keeping more than all"),
        pytest.param({"crop_fraction": float("nan")}, r"not in \(0, 1\]", id="keeping NaN"),
        pytest.param(
            {"crop": "pad", "crop_fraction": 0.5}, "goes with crop 'center'", id="part of a pad"
        ),
        pytest.param({"resize": "cubic"}, "'cubic' is unknown", id="a resize of another version"),
    ],
)
def test_preprocessing_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Preprocessing(**{"size": (28, 28), **fields})


@pytest.mark.parametrize(
    ("channels", "shape"),
    [
        pytest.param("RGB", (96, 128, 3), id="three for colour"),
        pytest.param("GRAY", (96, 128, 1), id="one for gray"),
    ],
)
def test_the_depth_of_an_image_follows_its_channels(
    channels: Any, shape: tuple[int, int, int]
) -> None:
    preprocessing = Preprocessing((96, 128), channels)
    assert (preprocessing.shape, preprocessing.depth) == (shape, shape[2])
