"""What parts of the live view take by themselves: `python view_alone.py`, JSON in ms of CPU time.

own      what the loop does a frame for a page that nobody looks at, at 15 frames a second
encode   one JPEG of a 640x480 frame
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from edgecls.contract.events import Prediction, PredictionEvent
from edgecls.imaging.shown import encode_shown
from edgecls.sinks import QueuedSink
from edgecls.sinks.view import SAMPLES_A_SECOND, ViewSink
from edgecls.sinks.view.story import Story
from edgecls.sources import open_source

FPS = 15


def cost_ms(work: Callable[[Any], object], given: list[Any]) -> float:
    """CPU time of all threads for one call."""
    started = time.process_time()
    for value in given:
        work(value)
    return (time.process_time() - started) / len(given) * 1e3


def main() -> None:
    """Print both."""
    best = [Prediction(index, "label", 0.3) for index in range(3)]
    events = [PredictionEvent(0, 0.0, "label", 0.9, best, 1.0, steady="label")] * 20_000
    sink = QueuedSink(ViewSink("model.tflite", ["label"]), drops=True)
    noted = cost_ms(Story("model.tflite", ["label"]).predict, events)
    source = open_source("fake:digits?fps=0")
    given = [frame for _ in range(100) if (frame := source.read()) is not None]
    frames = [frame.pixels for frame in given]
    handled = cost_ms(lambda event: sink.handle(event, given[0]), events)
    own = handled + SAMPLES_A_SECOND / FPS * noted
    print(json.dumps({"own": own, "encode": cost_ms(encode_shown, frames)}))


if __name__ == "__main__":
    main()
