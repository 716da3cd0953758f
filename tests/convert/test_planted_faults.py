"""Faults of the field, planted on purpose: each told in its own words, and refused where it costs.

The network is a small one with depthwise convolutions that tells digits in two colours. Where a
fault costs it no accuracy, the fault is told all the same, and the model is written.
"""

import csv
import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import AccuracyLossError, ModelFileError
from edgecls.imaging.decode import decode
from edgecls_convert.attempt import convert_once
from edgecls_convert.calibration import CalibrationSet
from edgecls_convert.convert import Settings, convert_source
from edgecls_convert.forms import Target
from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.source import ConversionSource
from edgecls_convert.subsets import Example, RunPictures
from tests.convert.tinted import (
    silence,
    tinted_source,
    with_all_pictures,
    with_shuffled_targets,
    with_training_digit,
    with_training_pictures,
    with_uneven_channels,
)

SETTINGS = Settings(calibration=100, remedy="none")
PER_TENSOR = dataclasses.replace(SETTINGS, target=Target("per-tensor"))


@pytest.fixture(scope="module")
def source():
    return tinted_source()


def converted(source, tmp_path, settings=SETTINGS):
    """The conversion, and the warnings that were heard on the way."""
    heard = []
    return convert_source(source, tmp_path / "m.tflite", settings, silence, heard.append), heard


def refused(source, tmp_path, settings=SETTINGS):
    with pytest.raises(AccuracyLossError, match="no model was written") as wrong:
        convert_source(source, tmp_path / "m.tflite", settings, silence)
    assert list(tmp_path.iterdir()) == []
    return wrong.value


def noise(frame):
    return np.random.default_rng(int(frame.sum())).integers(0, 256, frame.shape).astype(np.uint8)


def test_without_a_fault_the_model_is_written_and_nothing_is_warned_of(source, tmp_path):
    conversion, heard = converted(source, tmp_path)
    assert conversion.path.exists()
    assert heard == []


def test_calibration_on_noise(source, tmp_path):
    problem = refused(with_training_pictures(source, noise), tmp_path).problem
    assert "the calibration pictures look like noise" in problem
    assert "are beyond the range that calibration found, and are clipped" in problem


def test_calibration_on_dark_pictures(source, tmp_path):
    dark = with_training_pictures(source, lambda frame: frame // 8)
    problem = refused(dark, tmp_path).problem
    assert "the calibration pictures are dark: nearly all of their values are at most 31" in problem
    assert "most is lost in layer" in problem


def test_calibration_at_half_brightness_does_not_narrow_the_input(source, tmp_path):
    half = with_training_pictures(source, lambda frame: frame // 2)
    conversion, heard = converted(half, tmp_path, dataclasses.replace(SETTINGS, max_drop=10.0))
    assert conversion.model.input.to_quant_params().scale == 1.0
    assert heard[0].startswith("the calibration pictures are dark: nearly all of their values are")


class Unpinned(CalibrationSet):
    """As other converters calibrate: on the pictures as they are."""

    def to_representative(self):
        return list(self.images)


def test_an_input_scale_of_half_brightness_is_refused(source):
    pictures = source.pictures
    chosen = pictures.subsets["train"][::75]
    images = tuple(pictures.load_image(example) // 2 for example in chosen)
    names = tuple(example.name for example in chosen)
    calibration = Unpinned(images, names, {"0": len(images)}, seed=0)
    with pytest.raises(ModelFileError, match=r"uint8 with scale \[0\.49.*wanted .* scale 1\.0"):
        convert_once(source.network, source.card, Target(), calibration)


def test_calibration_on_one_class_is_told_though_this_network_survives_it(source, tmp_path):
    conversion, heard = converted(with_training_digit(source, 1), tmp_path)
    assert heard == [
        "no calibration picture of '0', '2', '3' and 6 more classes: what only these show may be"
        " clipped"
    ]
    assert conversion.comparison.drop <= 0.01


def test_swapped_colours(source, tmp_path):
    swapped = with_all_pictures(source, lambda frame: frame[..., ::-1])
    found = refused(swapped, tmp_path)
    assert "with red and blue swapped; its training measured 9" in found.problem
    assert "BGR" in found.hint


def test_a_wrong_rescaling(source, tmp_path):
    _, keras = import_tensorflow()
    twice = [keras.layers.Rescaling(1 / 255), *source.model.layers]
    model = keras.Sequential([keras.Input((28, 28, 3)), *twice], name="twice")
    found = refused(dataclasses.replace(source, model=model), tmp_path)
    assert "with pixels multiplied by 255; its training measured 9" in found.problem
    assert "it scales pixels twice: one of its Rescaling layers is too many" in found.hint


def test_shuffled_labels(source, tmp_path):
    found = refused(with_shuffled_targets(source), tmp_path)
    assert "the labels of the pictures seem to be shuffled" in found.problem
    assert "check which picture lies in which folder" in found.hint


def test_one_scale_for_channels_that_are_not_alike(source, tmp_path):
    uneven = with_uneven_channels(source, 300.0)
    found = refused(uneven, tmp_path, PER_TENSOR)
    assert "most is lost in layer depthwise (DEPTHWISE_CONV_2D)" in found.problem
    assert "its weights have one scale, set by a channel with" in found.problem
    assert "one scale a channel (--form int8)" in found.hint


def test_remedies_win_back_what_one_scale_lost(source, tmp_path):
    uneven = with_uneven_channels(source, 300.0)
    settings = dataclasses.replace(PER_TENSOR, remedy="needed")
    conversion, _ = converted(uneven, tmp_path, settings)
    outcomes = {outcome.remedy: outcome for outcome in conversion.admitted.outcomes}
    assert outcomes["per-channel"].note == "not kept, since per-tensor was asked for"
    assert outcomes["equalize"].gained > 0
    assert [name for name, outcome in outcomes.items() if outcome.is_kept] != []
    assert conversion.to_json()["remedies"][-1]["gained_points"] > 0
    assert conversion.model.card.provenance["conversion"]["remedies"][-1]["judged_on"] == "val"


class Photos:
    """The pictures of a folder with `classes.csv`, as far as a conversion needs them."""

    def __init__(self, folder):
        self._folder = folder
        rows = csv.reader((folder / "classes.csv").read_text().splitlines())
        self.examples = tuple(
            Example(name, index, int(target)) for index, (name, target) in enumerate(rows)
        )

    def load_frame(self, index):
        return decode((self._folder / self.examples[index].name).read_bytes())


@pytest.fixture(scope="module")
def lite0():
    """EfficientNet-Lite0 as published, on 100 photos of as many classes."""
    folder = Path(os.environ.get("EDGECLS_DATA", "nowhere"), "imagenet-100")
    if not folder.is_dir():
        pytest.skip("EDGECLS_DATA is unset: there are no photos")
    pytest.importorskip("edgecls_train", reason="the network is that of edgecls-train")
    from edgecls_train.backbones.imagenet import build_imagenet_classifier

    photos = Photos(folder)
    card = ModelCard(Labels(tuple(f"{n:04d}" for n in range(1000))), Preprocessing((96, 96)))
    subsets = {"train": photos.examples[::2], "val": (), "test": photos.examples}
    model = build_imagenet_classifier("efficientnet-lite0", (96, 96, 3))
    pictures = RunPictures(photos, card, subsets)
    return ConversionSource(Path("lite0.keras"), model, card, pictures)


def test_one_scale_for_all_channels_of_efficientnet_lite0(lite0, tmp_path):
    found = refused(lite0, tmp_path, dataclasses.replace(PER_TENSOR, calibration=20))
    assert "the per-tensor model is right on" in found.problem
    assert "its weights have one scale, set by a channel with" in found.problem
    assert "depthwise (DEPTHWISE_CONV_2D)" in found.problem
