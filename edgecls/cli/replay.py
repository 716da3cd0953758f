"""`edgecls replay`: what people who act on events would have got from a recording."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.decisions import (
    AllowOption,
    DecisionChoices,
    DenyOption,
    HoldOption,
    MarginOption,
    NoSmoothingOption,
    SmoothingOption,
    ThresholdOption,
    to_settings,
    warn_of_low_scores,
)
from edgecls.cli.frames import FlipOption, FrameChoices, RoiOption, RotateOption
from edgecls.cli.options import (
    JsonOption,
    LabelsOption,
    ModelOption,
    RuntimeOption,
    ThreadsOption,
    open_classifier,
)
from edgecls.console import json_line, progress
from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.decision import DecisionSettings
    from edgecls.replay import Outcome


def replay(
    recording: Annotated[
        str,
        typer.Argument(help="A video file."),
        Reads("video"),
    ],
    model: ModelOption,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="Table of what it shows: time,label (or frame,label)."),
        Reads("table"),
    ] = None,
    is_comparison: Annotated[
        bool, typer.Option("--compare", help="Try several settings of the smoothing.")
    ] = False,
    threshold: ThresholdOption = None,
    allow: AllowOption = None,
    deny: DenyOption = None,
    smoothing: SmoothingOption = None,
    margin: MarginOption = None,
    hold: HoldOption = None,
    no_smoothing: NoSmoothingOption = False,
    rotate: RotateOption = 0,
    flip: FlipOption = "none",
    roi: RoiOption = None,
    labels: LabelsOption = None,
    as_json: JsonOption = False,
    runtime: RuntimeOption = "auto",
    threads: ThreadsOption = 1,
) -> None:
    """Measure on a recording how often the label flips and how late it follows the truth.

    \b
    edgecls replay --model model.tflite door.mp4
    edgecls replay --model model.tflite door.mp4 --truth door.csv --compare
    """
    from edgecls.imaging.captured import develop
    from edgecls.replay import replay as measure
    from edgecls.sources import open_source
    from edgecls.truth import load_truth

    classifier = open_classifier(model, labels, runtime, threads)
    choices = DecisionChoices(threshold, allow, deny, smoothing, margin, hold, no_smoothing)
    settings = to_settings(choices, classifier.labels)
    warn_of_low_scores(settings, classifier)
    known = None if truth is None else load_truth(truth, classifier.labels)
    view = FrameChoices(rotate=rotate, flip=flip, roi=roi).to_view()
    preprocessing = classifier.model.card.preprocessing
    with ExitStack() as stack:
        source = stack.enter_context(open_source(recording))
        outcomes = measure(
            classifier,
            source,
            _settings_to_try(settings, is_comparison=is_comparison),
            known,
            develop=lambda frame: develop(frame, preprocessing, view),
            advance=stack.enter_context(progress("replay", None)),
        )
    for outcome in outcomes if as_json else ():
        print(json_line({"source": recording, **outcome.to_json()}))
    if not as_json:
        _print_table(outcomes)


def _settings_to_try(settings: DecisionSettings, *, is_comparison: bool) -> list[DecisionSettings]:
    from edgecls.replay import STEADINESS

    if not is_comparison:
        return [settings]
    known = settings.steadiness in STEADINESS
    tried = STEADINESS if known else (settings.steadiness, *STEADINESS)
    return [dataclasses.replace(settings, steadiness=each) for each in tried]


def _print_table(outcomes: list[Outcome]) -> None:
    first = outcomes[0]
    print(f"{first.frames} frames, {first.seconds:.1f} s")
    if not first.flips_per_hour:
        print("too short for flips per hour", file=sys.stderr)
    headings = ["smoothing", "margin", "hold", "flips/h", "steady/h"]
    if first.following is not None:
        headings += ["delay p50", "p95", "found", "missed", "false", "again", "right"]
    print(" ".join(f"{heading:>9}" for heading in headings))
    for outcome in outcomes:
        print(" ".join(f"{cell:>9}" for cell in _cells(outcome.to_json())))


def _cells(found: dict[str, Any]) -> list[str]:
    flips = found["flips_per_hour"] or {"label": None, "steady": None}
    cells = [
        f"{found['smoothing_s']:g} s",
        f"{found['margin']:g}",
        f"{found['hold_s']:g} s",
        *("-" if value is None else f"{value:.0f}" for value in flips.values()),
    ]
    if "delay_s" not in found:
        return cells
    delays = ["-" if value is None else f"{value:.2f} s" for value in found["delay_s"].values()]
    counts = [str(found[name]) for name in ("detected", "missed", "false", "repeated")]
    return [*cells, *delays, *counts, f"{found['right']:.1%}"]
