"""Runs in the environment of MediaPipe: what its ImageClassifier says of prepared images.

    python mediapipe_answers.py MODEL IMAGES.npy

Prints one JSON list: [label, score] of the best class of each image.
"""

import json
import sys

import mediapipe
import numpy as np
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions


def main() -> None:
    """Classify every image."""
    model, images = sys.argv[1:]
    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_path=model), max_results=1
    )
    answers = []
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for image in np.load(images):
            picture = mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)
            )
            (best,) = classifier.classify(picture).classifications[0].categories
            answers.append([best.category_name, best.score])
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
