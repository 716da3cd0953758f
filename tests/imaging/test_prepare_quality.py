"""The one resize keeps what OpenCV's slower INTER_AREA keeps: gray levels and accuracy."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.contract.modelfile import load_model_file
from edgecls.contract.preprocessing import Preprocessing
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import crop_center, prepare
from edgecls.pictures.folder import read_picture
from edgecls.runtimes import open_runtime

PREPROCESSING = Preprocessing((224, 224), crop_fraction=0.875)


def copy_into(image: Any, tensor: Any) -> None:
    """Write an image into an input tensor."""
    tensor[0] = image


def area(frame: Any, preprocessing: Preprocessing) -> Any:
    """The same crop, resized with INTER_AREA, which is slower and not the same on every machine."""
    height, width = preprocessing.size
    middle = crop_center(frame, preprocessing.size, preprocessing.crop_fraction)
    is_smaller = middle.shape[0] < height
    # INTER_AREA enlarges without any smoothing; the usual choice there is bilinear.
    method = cv2.INTER_LINEAR if is_smaller else cv2.INTER_AREA
    return cv2.resize(middle, (width, height), interpolation=method)


@pytest.fixture(scope="module")
def pictures(data_folder: Path) -> list[tuple[Any, int]]:
    """100 ImageNet pictures with their class indices (0 to 999)."""
    folder = data_folder / "imagenet-100"
    with open(folder / "classes.csv", encoding="utf-8", newline="") as table:
        return [(read_picture(folder / name), int(index)) for name, index in csv.reader(table)]


def test_it_agrees_with_inter_area_within_a_few_gray_levels(
    pictures: list[tuple[Any, int]],
) -> None:
    gaps = [
        np.abs(prepare(frame, PREPROCESSING).astype(int) - area(frame, PREPROCESSING)).mean()
        for frame, _ in pictures
        if min(frame.shape[:2]) >= 256
    ]
    assert len(gaps) > 80
    assert np.median(gaps) < 3
    assert max(gaps) < 8


def test_it_is_no_less_accurate_than_inter_area(
    pictures: list[tuple[Any, int]], data_folder: Path
) -> None:
    model = load_model_file(data_folder / "coral/mobilenet_v2_1.0_224_quant.tflite")
    runtime = open_runtime(model)

    def count_right(resize: Any) -> int:
        right = 0
        for frame, index in pictures:
            image = resize(frame)
            scores = runtime.run(partial(copy_into, image))
            right += int(scores.argmax()) == index + 1  # the model's class 0 is the background
        return right

    ours = count_right(lambda frame: prepare(frame, PREPROCESSING))
    theirs = count_right(lambda frame: area(frame, PREPROCESSING))
    runtime.close()
    assert ours >= 86
    assert theirs - ours <= 0.5  # points: one picture of 100 is one
