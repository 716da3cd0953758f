"""`edgecls camera`: classify what a camera sees, now."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from edgecls.cli.options import (
    JsonOption,
    LabelsOption,
    ModelOption,
    RuntimeOption,
    ThreadsOption,
    TopOption,
    open_classifier,
)

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.pipeline import Loop
    from edgecls.sinks import Sink


def camera(
    model: ModelOption,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            "-s",
            help="0, /dev/video0, a video, a picture, a folder, fake:digits, fake:colors.",
        ),
    ] = "0",
    labels: LabelsOption = None,
    top_k: TopOption = 3,
    threshold: Annotated[
        float | None,
        typer.Option(help="Score (0-1) below which the answer is 'unknown'; else the card's own."),
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames classified a second at most; 0: all.")] = 0.0,
    max_frames: Annotated[int, typer.Option(help="Classify so many frames; 0: no end.")] = 0,
    duration: Annotated[float, typer.Option(help="Run for so many seconds; 0: no end.")] = 0.0,
    as_json: JsonOption = False,
    jsonl: Annotated[
        Path | None, typer.Option("--jsonl", help="Append the events to this file, too.")
    ] = None,
    runtime: RuntimeOption = "auto",
    threads: ThreadsOption = 1,
    is_verified: Annotated[
        bool,
        typer.Option("--verify/--no-verify", help="Replay the model's golden vectors first."),
    ] = True,
) -> None:
    """Classify camera frames, the newest first, until Ctrl-C.

    \b
    edgecls camera --model model.tflite
    edgecls camera --model model.tflite --source /dev/video2 --json
    edgecls camera --model model.tflite --source fake:digits --max-frames 200
    """
    from edgecls.errors import SinkClosedError
    from edgecls.pipeline import Loop, LoopSettings
    from edgecls.sources import open_source

    settings = LoopSettings(
        top_k=top_k, threshold=threshold, fps=fps, max_frames=max_frames, duration_s=duration
    )
    classifier = open_classifier(model, labels, runtime, threads)
    _verify(classifier, is_verified=is_verified)
    loop = Loop(lambda: open_source(source), classifier, _open_sinks(as_json, jsonl), settings)
    with _Interrupts(loop) as interrupts:
        summary = loop.run()
    if loop.has_stuck_sink:
        # Its thread holds the lock of stdout, for which Python would wait at its end.
        os._exit(130 if interrupts.is_interrupted else 0)
    if interrupts.is_interrupted:
        raise typer.Exit(130)
    for failure in loop.sink_failures:
        if not isinstance(failure, SinkClosedError):
            raise failure
    if not summary.classified:
        print("warning: no frame was classified", file=sys.stderr)


def _verify(classifier: Classifier, *, is_verified: bool) -> None:
    from edgecls.classifier import replay_golden

    # The fake engine computes nothing that golden vectors could be compared with.
    if is_verified and classifier.model.golden is not None and classifier.runtime.name != "fake":
        replay_golden(classifier)


def _open_sinks(as_json: bool, jsonl: Path | None) -> list[Sink]:
    from edgecls.sinks.console import ConsoleSink
    from edgecls.sinks.jsonl import JsonlSink, open_jsonl

    sinks: list[Sink] = [JsonlSink(sys.stdout, "stdout") if as_json else ConsoleSink(sys.stdout)]
    if jsonl is not None:
        sinks.append(open_jsonl(jsonl))
    return sinks


class _Interrupts:
    """Ctrl-C and SIGTERM end the loop cleanly, a second Ctrl-C ends it at once."""

    def __init__(self, loop: Loop) -> None:
        self.is_interrupted = False
        self._loop = loop
        self._previous = {
            number: signal.signal(number, self._handle)
            for number in (signal.SIGINT, signal.SIGTERM)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_wrong: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: Any) -> None:
        if self.is_interrupted:
            os._exit(130)
        self.is_interrupted = number == signal.SIGINT
        self._loop.stop()
