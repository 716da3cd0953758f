"""(b) MediaPipe's ImageClassifier in VIDEO mode."""

from __future__ import annotations

import cv2
import mediapipe as mp
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision
from meter import Meter, arguments


def main() -> None:
    """Run it."""
    model, url, frames, warmup = arguments()
    meter = Meter(frames, warmup)
    options = vision.ImageClassifierOptions(
        base_options=tasks.BaseOptions(model_asset_path=model),
        running_mode=vision.RunningMode.VIDEO,
        max_results=3,
    )
    with vision.ImageClassifier.create_from_options(options) as classifier:
        capture = cv2.VideoCapture(url)
        index = 0
        while True:
            _, frame = capture.read()
            rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            image = mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb)
            classifier.classify_for_video(image, index * 33 + 1)
            if not meter.note(index):
                break
            index += 1
        meter.report()


if __name__ == "__main__":
    main()
