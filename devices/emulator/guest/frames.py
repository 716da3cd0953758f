"""Runs the camera loop's work on one JPEG again and again, and marks where each stage begins.

Started on the emulated board: python3 frames.py FRAME.jpg FRAMES MODEL... ; the marks are read by
count.c. With FRAMES 0 it classifies a few frames of one model, prints which memory is mapped, and
waits for its standard input to end, so that somebody outside can look how much of it is in use.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from edgecls.classifier import Classifier
from edgecls.decision import DecisionSettings
from edgecls.imaging.captured import CapturedFrame, develop
from edgecls.imaging.view import WHOLE
from edgecls.judge import Judge, Moment
from edgecls.runtimes import Fill, Runtime, Tensor
from edgecls.sinks.jsonl import JsonlSink

MARK_BASE = 0x7E570000
# What ends at each mark; `pause` is what marks themselves and this program cost.
BEGIN, PAUSE, DECODED, FILLING, FILLED, INVOKED, DONE = range(7)
WARM_UP = 2  # first frames are slower: allocations, caches of Python
NOWHERE = os.open(os.devnull, os.O_RDONLY)
# The child that tries a model first is not to be counted, nor to begin the file of counts anew.
os.environ.pop("EDGECLS_PLUGIN", None)


def mark(number: int) -> None:
    """Tell the plugin that counts."""
    os.lseek(NOWHERE, MARK_BASE + number, os.SEEK_SET)


class MarkingRuntime:
    """A runtime that says when the image is prepared and when the model has run."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.name, self.version, self.threads = runtime.name, runtime.version, runtime.threads

    def run(self, fill: Fill) -> Tensor:
        """See `Runtime.run`."""

        def marked_fill(tensor: Tensor) -> Any:
            mark(FILLING)
            fill(tensor)
            mark(FILLED)

        raw = self._runtime.run(marked_fill)
        mark(INVOKED)
        return raw

    def close(self) -> None:
        """See `Runtime.close`."""
        self._runtime.close()


def run_frames(model: Path, jpeg: bytes, frames: int) -> None:
    """Take frames through decode, prepare, invoke, decision and JSON line, as the loop does."""
    opened = Classifier.open(model)
    classifier = Classifier(opened.model, MarkingRuntime(opened.runtime))
    judge = Judge(classifier, DecisionSettings(), top_k=3)
    preprocessing = classifier.model.card.preprocessing
    with open(os.devnull, "w", encoding="ascii") as nowhere:
        sink = JsonlSink(nowhere)
        for index in range(WARM_UP + frames):
            captured = CapturedFrame(None, index, index / 30, jpeg=jpeg)
            mark(BEGIN)
            mark(PAUSE)
            frame = develop(captured, preprocessing, WHOLE)
            mark(DECODED)
            judgement = judge.judge(frame, Moment.of(frame, is_live=True))
            for event, shown in judgement.events:
                sink.handle(event, shown)
            mark(DONE)
    classifier.close()


def main() -> None:
    """See the top of this file."""
    jpeg, frames = Path(sys.argv[1]).read_bytes(), int(sys.argv[2])
    for model in map(Path, sys.argv[3:]):
        run_frames(model, jpeg, frames or 20)
    if not frames:
        print(Path("/proc/self/maps").read_text(), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
