"""What people who act on events would have got from a recording, under several settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgecls.classifier import Classifier
from edgecls.decision import Decider, DecisionSettings
from edgecls.errors import FrameFailedError, InvalidValueError, PictureError, SourceError
from edgecls.imaging.captured import CapturedFrame
from edgecls.runtimes.failures import Failures
from edgecls.smoothing import Steadiness
from edgecls.sources import Source
from edgecls.truth import Following, Truth, follow

# From each frame alone to very calm; the third is the default.
STEADINESS: Final = (
    Steadiness(0.0, 0.0, 0.0),
    Steadiness(0.2, 0.1, 0.25),
    Steadiness(),
    Steadiness(0.8, 0.1, 1.0),
    Steadiness(1.6, 0.2, 2.0),
)

Develop = Callable[[CapturedFrame], CapturedFrame]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One setting on one recording.

    Args:
        steadiness: That was tried.
        frames: That were classified.
        seconds: From the first frame to the last.
        flips_per_hour: Of `label` (of single frames) and `steady`; empty below one second.
        following: How the truth was followed; None where it is not known.
    """

    steadiness: Steadiness
    frames: int
    seconds: float
    flips_per_hour: dict[str, float]
    following: Following | None

    def to_json(self) -> dict[str, Any]:
        """As `edgecls replay --json` prints it."""
        found: dict[str, Any] = {
            "smoothing_s": self.steadiness.time_constant_s,
            "margin": self.steadiness.margin,
            "hold_s": self.steadiness.min_hold_s,
            "frames": self.frames,
            "seconds": round(self.seconds, 3),
            "flips_per_hour": self.flips_per_hour,
        }
        if (following := self.following) is not None:
            found |= {
                "changes": following.changes,
                "detected": following.detected,
                "missed": following.missed,
                "false": following.false,
                "repeated": following.repeated,
                "right": round(following.right, 4),
                "delay_s": following.delay_percentiles(),
            }
        return found


class _Track:
    """One setting on its way through the recording."""

    def __init__(self, classifier: Classifier, settings: DecisionSettings) -> None:
        self.steadiness = settings.steadiness
        self.decider = Decider(classifier.labels, classifier.model.card.output, settings)
        self.steps: list[tuple[float, str]] = []


def replay(
    classifier: Classifier,
    source: Source,
    settings: Sequence[DecisionSettings],
    truth: Truth | None = None,
    *,
    develop: Develop = lambda frame: frame,
    advance: Callable[[int], None] = lambda _done: None,
) -> list[Outcome]:
    """Classify a recording once and decide under every setting.

    Args:
        classifier: An open model.
        source: A recording: not live, its frames in sequence.
        settings: To try.
        truth: What it really shows.
        develop: Makes a frame ready for the classifier, as the camera loop does.
        advance: Called with the number of frames done.

    Raises:
        InvalidValueError: A live source, or pictures that do not follow each other.
        SourceError: The recording has no frame that can be read.
    """
    if source.is_live or not source.is_sequence:
        raise InvalidValueError(
            f"{source.name!r} is no recording: it is live, or pictures without a common time",
            hint="give a video file",
        )
    tracks = [_Track(classifier, each) for each in settings]
    times_s: list[float] = []
    failures = Failures()
    while (frame := _read(source, develop)) is not None:
        if frame.pixels is None:
            continue
        try:
            scores = classifier.classify(frame.pixels).scores
        except FrameFailedError as failed:  # left out by the camera loop, too
            failures.add(failed, classifier.model.name)
            continue
        failures.end()
        for track in tracks:
            change = track.decider.decide(scores, frame.media_s).change
            if change is not None:
                track.steps.append((frame.media_s, change.label))
        times_s.append(frame.media_s)
        advance(len(times_s))
    if not times_s:
        raise SourceError(f"{source.name!r} has no frame that can be read")
    known = truth.to_seconds(times_s) if truth is not None else None
    return [_to_outcome(track, times_s, known) for track in tracks]


def _read(source: Source, develop: Develop) -> CapturedFrame | None:
    while True:
        try:
            frame = source.read()
            return None if frame is None else develop(frame)
        except PictureError:
            continue  # this one is corrupt, the next may not be


def _to_outcome(track: _Track, times_s: list[float], truth: Truth | None) -> Outcome:
    # The last frame is shown for as long as those before it.
    step_s = (times_s[-1] - times_s[0]) / max(len(times_s) - 1, 1)
    return Outcome(
        track.steadiness,
        len(times_s),
        times_s[-1] - times_s[0],
        track.decider.flips.to_json(),
        follow(truth, track.steps, times_s[-1] + step_s) if truth is not None else None,
    )
