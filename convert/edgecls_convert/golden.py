"""Golden vectors of a converted model: held-out images with what it gives for them here."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgecls.classifier import Classifier
from edgecls.contract.golden import GoldenVectors
from edgecls_convert.subsets import RunPictures, choose_stratified

MOST_VECTORS: Final = 8
LEAST_VECTORS: Final = 2
# They travel in every model file: eight digits, but only two pictures of 224x224.
MOST_IMAGE_BYTES: Final = 256 << 10


def golden_count(image_bytes: int) -> int:
    """How many images of this size go into a model file."""
    return min(MOST_VECTORS, max(LEAST_VECTORS, MOST_IMAGE_BYTES // image_bytes))


def make_golden(classifier: Classifier, pictures: RunPictures, seed: int) -> GoldenVectors:
    """Run a few held-out pictures, of different classes as far as there are.

    Args:
        classifier: With the flatbuffer exactly as it will be written.
        pictures: Of the run; only its test pictures are used.
        seed: Of the choice.
    """
    count = golden_count(int(np.prod(pictures.card.preprocessing.shape)))
    chosen = choose_stratified(pictures.subsets["test"], count, seed)
    images = np.stack([pictures.load_image(example) for example in chosen])
    outputs = np.stack([classifier.run_image(image) for image in images])
    return GoldenVectors(images, outputs)
