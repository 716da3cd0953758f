"""Golden vectors: held-out images with what the written model gives for them."""

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.contract.modelfile import load_model_file
from edgecls.imaging.decode import decode
from edgecls.imaging.prepare import prepare
from edgecls.runtimes import open_runtime
from edgecls.verification import verify
from edgecls_convert.golden import golden_count
from edgecls_convert.subsets import choose_stratified, open_run_pictures


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
    found = verify(Classifier(model, open_runtime(model)))
    assert (found.vectors, found.frames, found.unit, found.largest) == (8, 8, "steps", 0.0)


def test_they_are_held_out_pictures_of_different_classes(digits_run, conversion):
    pictures = open_run_pictures(digits_run, digits_run.load_card())
    chosen = choose_stratified(pictures.subsets["test"], 8, 0)
    assert len({example.target for example in chosen}) == 8
    golden = conversion.model.golden
    for example, image in zip(chosen, golden.images, strict=True):
        distance = np.abs(pictures.load_image(example).astype(int) - image)
        assert distance.mean() < 25  # enlarged, and tinged with colour


def test_each_image_is_what_its_frame_is_prepared_to(conversion):
    card, golden = conversion.model.card, conversion.model.golden
    for frame, image in zip(golden.frames, golden.images, strict=True):
        assert prepare(decode(frame.jpeg), card.preprocessing).tolist() == image.tolist()


def test_frames_of_digits_are_small(conversion):
    assert sum(len(frame.jpeg) for frame in conversion.model.golden.frames) < 32 << 10


def test_outputs_are_stored_raw(conversion):
    assert conversion.model.golden.outputs.dtype == np.uint8
    assert conversion.model.golden.outputs.shape == (8, 10)
