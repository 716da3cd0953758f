"""Golden vectors: held-out images with what the written model gives for them."""

import numpy as np
import pytest

from edgecls.classifier import Classifier, replay_golden
from edgecls.contract.modelfile import load_model_file
from edgecls.runtimes import open_runtime
from edgecls_convert.golden import golden_count
from edgecls_convert.subsets import open_run_pictures


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        pytest.param((28, 28, 1), 8, id="small images: eight"),
        pytest.param((128, 128, 3), 5, id="as many as fit into 256 KiB"),
        pytest.param((224, 224, 3), 2, id="large images: at least two"),
    ],
)
def test_how_many(shape, count):
    assert golden_count(int(np.prod(shape))) == count


def test_a_board_reproduces_them(conversion):
    model = load_model_file(conversion.path)
    report = replay_golden(Classifier(model, open_runtime(model)))
    assert (report.vectors, report.unit, report.largest) == (8, "steps", 0.0)


def test_they_are_held_out_images_of_different_classes(digits_run, conversion):
    pictures = open_run_pictures(digits_run, digits_run.load_card())
    classes = {
        pictures.load_image(example).tobytes(): example.target
        for example in pictures.subsets["test"]
    }
    found = [classes.get(image.tobytes()) for image in conversion.model.golden.images]
    assert None not in found
    assert len(set(found)) == 8


def test_outputs_are_stored_raw(conversion):
    assert conversion.model.golden.outputs.dtype == np.uint8
    assert conversion.model.golden.outputs.shape == (8, 10)
