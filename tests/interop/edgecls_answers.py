"""Runs in the environment of another engine: what edgecls says there of prepared images.

    PYTHONPATH=CHECKOUT python edgecls_answers.py MODEL IMAGES.npy

Prints one JSON object: the engine, and the best label of each image.
"""

import json
import sys
from pathlib import Path

import numpy as np

from edgecls.classifier import Classifier


def main() -> None:
    """Classify every image."""
    model, images = sys.argv[1:]
    classifier = Classifier.open(Path(model))
    raw = np.stack([classifier.run_image(image) for image in np.load(images)])
    labels = [classifier.labels[int(best)] for best in raw.argmax(axis=1)]
    print(json.dumps({"engine": classifier.runtime.name, "labels": labels}))


if __name__ == "__main__":
    main()
