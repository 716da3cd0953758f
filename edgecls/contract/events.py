"""What the camera loop says: events, and the JSON that people's scripts stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

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
        time: Seconds since 1970.
        label: Best label, or `unknown` below the threshold.
        score: Of the best label.
        predictions: The best ones, best first.
        age_ms: From the frame's capture to now.
        truth: The right label, where the source knows it.
        name: The file, where the source has files.
    """

    frame: int
    time: float
    label: str
    score: float
    predictions: Sequence[Prediction]
    age_ms: float
    truth: str = ""
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """`{"event": "prediction", ...}`."""
        return {
            "event": "prediction",
            "frame": self.frame,
            "time": round(self.time, 3),
            "label": self.label,
            "score": round(self.score, 4),
            "predictions": [prediction.to_json() for prediction in self.predictions],
            "age_ms": round(self.age_ms, 2),
            **({"truth": self.truth} if self.truth else {}),
            **({"file": self.name} if self.name else {}),
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
class SourceEvent:
    """The source was lost or is back; `reason` says why it was lost."""

    state: Literal["lost", "back"]
    time: float
    source: str
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """`{"event": "source", ...}`."""
        return {
            "event": "source",
            "state": self.state,
            "time": round(self.time, 3),
            "source": self.source,
            **({"reason": self.reason} if self.reason else {}),
        }


@dataclass(frozen=True, slots=True)
class SummaryEvent:
    """What a whole loop came to.

    Args:
        frames: Delivered by the source: classified + dropped + unreadable.
        classified: Went through the model.
        dropped: Overtaken by a newer frame.
        unreadable: Could not be decoded.
        seconds: From the opened source to the end.
        fps: Classified per second.
        latency_ms: Stage -> p50, p95, p99.
        labelled: Classified frames whose truth the source knew.
        correct: Of those, how many were right.
        sink_drops: Events that a slow sink missed.
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
            **({"labelled": self.labelled, "correct": self.correct} if self.labelled else {}),
            **({"sink_drops": dict(self.sink_drops)} if self.sink_drops else {}),
        }


Event: TypeAlias = PredictionEvent | ChangeEvent | SourceEvent | SummaryEvent
