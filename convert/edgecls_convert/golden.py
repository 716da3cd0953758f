"""Golden vectors of a converted model: held-out pictures with what becomes of them here."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgecls.classifier import Classifier
from edgecls.contract.golden import GoldenVectors
from edgecls_convert.frames import make_frame, to_golden
from edgecls_convert.subsets import RunPictures, choose_stratified

MOST_VECTORS: Final = 8
LEAST_VECTORS: Final = 2
# They travel in every model file: eight digits, but only two pictures of 224x224.
MOST_IMAGE_BYTES: Final = 256 << 10


def golden_count(image_bytes: int) -> int:
    """How many images of this size go into a model file."""
    return min(MOST_VECTORS, max(LEAST_VECTORS, MOST_IMAGE_BYTES // image_bytes))


def make_golden(classifier: Classifier, pictures: RunPictures, seed: int) -> GoldenVectors:
    """Decode, prepare and run a few held-out pictures, of different classes as far as there are.

    Every board can then check each of the three steps by itself.

    Args:
        classifier: With the flatbuffer exactly as it will be written.
        pictures: Of the run; only its test pictures are used.
        seed: Of the choice.
    """
    preprocessing = pictures.card.preprocessing
    count = golden_count(int(np.prod(preprocessing.shape)))
    frames, images = [], []
    for example in choose_stratified(pictures.subsets["test"], count, seed):
        stored = pictures.pictures.load_bytes(example.index)
        jpeg = make_frame(stored, pictures.load_frame(example), preprocessing)
        frame, image = to_golden(jpeg, preprocessing)
        frames.append(frame)
        images.append(image)
    outputs = np.stack([classifier.run_image(image) for image in images])
    return GoldenVectors(np.stack(images), outputs, tuple(frames))
