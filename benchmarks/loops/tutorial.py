"""(a) The loop that every tutorial shows, on OpenCV and LiteRT."""

from __future__ import annotations

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from meter import Meter, arguments


def main() -> None:
    """Run it."""
    model, url, frames, warmup = arguments()
    meter = Meter(frames, warmup)
    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    entrance = interpreter.get_input_details()[0]
    exit_ = interpreter.get_output_details()[0]
    height, width = entrance["shape"][1:3]
    capture = cv2.VideoCapture(url)
    index = 0
    while True:
        _, frame = capture.read()
        rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        image = cv2.resize(rgb, (width, height))
        interpreter.set_tensor(entrance["index"], np.expand_dims(image, 0))
        interpreter.invoke()
        scores = interpreter.get_tensor(exit_["index"])[0]
        scores.argmax()
        if not meter.note(index):
            break
        index += 1
    meter.report()


if __name__ == "__main__":
    main()
