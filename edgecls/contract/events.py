"""What the camera loop says: events, and the JSON that people's scripts stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from edgecls.contract.conditions import DriftEvent, ModelEvent, SourceEvent, UnreadableEvent
from edgecls.contract.warning_event import WarningEvent

if TYPE_CHECKING:
    from edgecls.contract.preprocessing import Preprocessing

__all__ = [
    "EVENTS",
    "UNKNOWN",
    "ChangeEvent",
    "DriftEvent",
    "Event",
    "LabelEvent",
    "ModelEvent",
    "Prediction",
    "PredictionEvent",
    "ShadowEvent",
    "SourceEvent",
    "SummaryEvent",
    "UnreadableEvent",
    "WarningEvent",
]

# Shown where no label is certain enough.
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Prediction:
    """A class and how sure the model is of it (0-1)."""

    index: int
    label: str
    score: float

    def to_json(self) -> dict[str, Any]:
        """As every command prints it."""
        return {"index": self.index, "label": self.label, "score": round(self.score, 4)}


@dataclass(frozen=True, slots=True)
class PredictionEvent:
    """One classified frame.

    Args:
        frame: Its number at the source, from 0.
        time: Seconds since 1970; in a recording since its beginning.
        label: Best label, or `unknown` below the threshold.
        score: Of the best label.
        predictions: The best ones, best first.
        age_ms: From the frame's capture to now; None in a recording.
        truth: The right label, where the source knows it.
        name: The file, where the source has files.
        steady: The steady label from this frame on; empty where frames do not follow each other.
        preprocessing: What of the frame the model was given; of the page, not of the JSON.
    """

    frame: int
    time: float
    label: str
    score: float
    predictions: Sequence[Prediction]
    age_ms: float | None
    truth: str = ""
    name: str = ""
    steady: str = ""
    preprocessing: Preprocessing | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """`{"event": "prediction", ...}`."""
        return {
            "event": "prediction",
            "frame": self.frame,
            "time": round(self.time, 3),
            "label": self.label,
            "score": round(self.score, 4),
            "predictions": [prediction.to_json() for prediction in self.predictions],
            **({} if self.age_ms is None else {"age_ms": round(self.age_ms, 2)}),
            **({"truth": self.truth} if self.truth else {}),
            **({"file": self.name} if self.name else {}),
            **({"steady": self.steady} if self.steady else {}),
        }


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """The steady label became another one."""

    frame: int
    time: float
    label: str
    previous: str
    score: float

    def to_json(self) -> dict[str, Any]:
        """`{"event": "change", ...}`."""
        return {
            "event": "change",
            "frame": self.frame,
            "time": round(self.time, 3),
            "label": self.label,
            "previous": self.previous,
            "score": round(self.score, 4),
        }


@dataclass(frozen=True, slots=True)
class LabelEvent:
    """A steady label came, went, or has been there for so long.

    Args:
        state: `entered`, `left` or `held`.
        frame: The frame that showed it.
        time: As of its prediction.
        label: A label of the model; `unknown` neither enters nor leaves.
        seconds: How long it has been the steady label: 0 when it entered, what was asked for
            when it was held, all of its stay when it left.
    """

    state: Literal["entered", "left", "held"]
    frame: int
    time: float
    label: str
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """`{"event": "entered"}`, `"left"` or `"held"`."""
        return {
            "event": self.state,
            "frame": self.frame,
            "time": round(self.time, 3),
            "label": self.label,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class ShadowEvent:
    """The candidate that runs beside the live model decided otherwise about a frame.

    Args:
        frame: Its number at the source.
        time: As of its prediction.
        label: What the live model said, or `unknown`.
        score: Of the best label of the live model.
        candidate: What the candidate said, or `unknown`.
        candidate_score: Of the best label of the candidate.
    """

    frame: int
    time: float
    label: str
    score: float
    candidate: str
    candidate_score: float

    def to_json(self) -> dict[str, Any]:
        """`{"event": "shadow", ...}`."""
        return {
            "event": "shadow",
            "frame": self.frame,
            "time": round(self.time, 3),
            "label": self.label,
            "score": round(self.score, 4),
            "candidate": self.candidate,
            "candidate_score": round(self.candidate_score, 4),
        }


@dataclass(frozen=True, slots=True)
class SummaryEvent:
    """What a whole loop came to.

    Args:
        frames: Delivered by the source: classified + dropped + unreadable + gated + failed.
        classified: Went through the model.
        dropped: Overtaken by a newer frame.
        unreadable: Could not be decoded.
        seconds: From the opened source to the end.
        fps: Classified per second.
        latency_ms: Stage -> p50, p95, p99.
        labelled: Classified frames whose truth the source knew.
        correct: Of those, how many were right.
        sink_drops: Events that a slow sink missed.
        sinks: What each sink counted so far: `errors`, `recorded` and the like.
        flips_per_hour: How often `label` (of single frames) and `steady` became another one.
        shadow: What the comparison with a candidate came to; empty without one.
        gated: Not classified because nothing moved.
        failed: Left out because the model failed on them.
        time_shares: What the loop spent its time on: waiting for the `source`, for the `decode`,
            for the `fps` limit, and working (`model`); shares that add up to 1.
        drifting: Statistics that have left what the model learnt, at the end.
        source: How often it was `lost`, for how many seconds it was away (`away_s`), and how long
            its frames were `frozen_s`, `black_s` or `slow_s`; what was never the case is left out.
    """

    frames: int
    classified: int
    dropped: int
    unreadable: int
    seconds: float
    fps: float
    latency_ms: Mapping[str, Mapping[str, float]]
    labelled: int = 0
    correct: int = 0
    sink_drops: Mapping[str, int] = field(default_factory=dict)
    sinks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    flips_per_hour: Mapping[str, float] = field(default_factory=dict)
    shadow: Mapping[str, Any] = field(default_factory=dict)
    gated: int = 0
    failed: int = 0
    time_shares: Mapping[str, float] = field(default_factory=dict)
    drifting: Sequence[str] = ()
    source: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """`{"event": "summary", ...}`, the last line."""
        return {
            "event": "summary",
            "frames": self.frames,
            "classified": self.classified,
            "dropped": self.dropped,
            "unreadable": self.unreadable,
            "seconds": round(self.seconds, 3),
            "fps": round(self.fps, 2),
            "latency_ms": {stage: dict(values) for stage, values in self.latency_ms.items()},
            **({"gated": self.gated} if self.gated else {}),
            **({"failed": self.failed} if self.failed else {}),
            **({"time_shares": dict(self.time_shares)} if self.time_shares else {}),
            **({"labelled": self.labelled, "correct": self.correct} if self.labelled else {}),
            **({"sink_drops": dict(self.sink_drops)} if self.sink_drops else {}),
            **({"sinks": {k: dict(v) for k, v in self.sinks.items()}} if self.sinks else {}),
            **({"flips_per_hour": dict(self.flips_per_hour)} if self.flips_per_hour else {}),
            **({"shadow": dict(self.shadow)} if self.shadow else {}),
            **({"drifting": list(self.drifting)} if self.drifting else {}),
            **({"source": dict(self.source)} if self.source else {}),
        }


Event: TypeAlias = (
    PredictionEvent
    | ChangeEvent
    | LabelEvent
    | ShadowEvent
    | ModelEvent
    | SourceEvent
    | UnreadableEvent
    | DriftEvent
    | WarningEvent
    | SummaryEvent
)
EVENTS: Final[tuple[type, ...]] = get_args(Event)
