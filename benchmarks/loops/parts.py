"""What of edgecls' CPU time a frame cannot be saved: decoding, and the model.

Run: python parts.py MODEL FOLDER_OF_PICTURES QUALITY
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from server import PICTURES, encode

from edgecls.classifier import Classifier
from edgecls.imaging.scaled import decode_scaled

ROUNDS: Final = 5


def cpu_ms(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    """CPU time of one item, in the best of some rounds over all of them."""
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for item in items:
            work(item)
        found.append((time.process_time() - started) / len(items) * 1e3)
    return min(found)


def decode_eighth(jpeg: bytes) -> None:
    """Gray and at 1/8 of its size there is little to do but the entropy coding."""
    cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)


def main() -> None:
    """Print one line."""
    model, folder, quality = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    classifier = Classifier.open(model)
    paths = sorted(folder.glob("*.JPEG"))[:PICTURES]
    jpegs = [encode(path, quality) for path in paths]
    preprocessing = classifier.model.card.preprocessing
    frames = [decode_scaled(jpeg, preprocessing) for jpeg in jpegs]
    print(
        f"of (c): decode {cpu_ms(lambda jpeg: decode_scaled(jpeg, preprocessing), jpegs):.2f} ms"
        f" (entropy coding {cpu_ms(decode_eighth, jpegs):.2f}),"
        f" prepare and model {cpu_ms(classifier.classify, frames):.2f} ms"
    )


if __name__ == "__main__":
    main()
