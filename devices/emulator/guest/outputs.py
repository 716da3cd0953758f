"""Prints a model's raw outputs for made-up images, as one JSON list of lists.

Run: python3 outputs.py MODEL IMAGES
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from edgecls.classifier import Classifier


def main() -> None:
    """See the top of this file."""
    classifier = Classifier.open(Path(sys.argv[1]))
    shape = classifier.model.card.preprocessing.shape
    rng = np.random.default_rng(2026)
    outputs = []
    for number in range(int(sys.argv[2])):
        # From flat to wild: noise of growing height on a growing gray.
        noise = rng.integers(0, 1 + 4 * (number % 60), shape)
        image = np.clip(noise + 2 * number, 0, 255).astype(np.uint8)
        outputs.append(classifier.run_image(image).tolist())
    print(json.dumps(outputs))


if __name__ == "__main__":
    main()
