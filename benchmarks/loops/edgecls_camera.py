"""(c) `edgecls camera`: its own loop, with its own console sink."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from meter import Meter, arguments

from edgecls.classifier import Classification, Classifier
from edgecls.contract.events import Event, PredictionEvent
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame
from edgecls.pipeline import Loop, LoopSettings
from edgecls.sinks import Sink
from edgecls.sinks.console import ConsoleSink
from edgecls.sources import SourceWishes, open_source


class SlowClassifier(Classifier):
    """Takes longer than the model does."""

    more_s = 0.0

    def classify(self, frame: Frame) -> Classification:
        """As ever, and later."""
        time.sleep(self.more_s)
        return super().classify(frame)


class MeterSink(Sink):
    """Tells the meter of every prediction, in the loop's own thread, and queues nothing."""

    name = "meter"

    def __init__(self, meter: Meter) -> None:
        self.loop: Loop | None = None
        self._meter = meter

    def wants(self, event: Event, _frame: CapturedFrame | None = None) -> bool:
        """Note a prediction."""
        is_prediction = isinstance(event, PredictionEvent)
        if is_prediction and not self._meter.note(event.frame) and self.loop is not None:
            self.loop.stop()
        return False


def main() -> None:
    """Run it."""
    model, url, frames, warmup = arguments()
    meter = Meter(frames, warmup)
    classifier = SlowClassifier.open(Path(model))
    classifier.more_s = float(sys.argv[5]) if len(sys.argv) > 5 else 0.0
    wishes = SourceWishes(model_size=classifier.model.card.preprocessing.size)
    sink = MeterSink(meter)
    console = ConsoleSink(sys.stderr)
    loop = Loop(lambda: open_source(url, wishes), classifier, [console, sink], LoopSettings())
    sink.loop = loop
    loop.run()
    meter.report()


if __name__ == "__main__":
    main()
