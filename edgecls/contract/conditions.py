"""What the camera loop says of its own state: its source, its model, what it was made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """A new file has taken the model's name: it was taken up, or the old model was kept.

    Args:
        state: `loaded` or `refused`.
        time: Seconds since 1970.
        model: The file's name.
        sha256: Of the flatbuffer of the model that runs from now on.
        labels: Of that model, in order. After `loaded` the steady label begins at `unknown`.
        reason: Why the new file was refused, or what else there is to say.
    """

    state: Literal["loaded", "refused"]
    time: float
    model: str
    sha256: str
    labels: Sequence[str]
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """`{"event": "model", ...}`."""
        return {
            "event": "model",
            "state": self.state,
            "time": round(self.time, 3),
            "model": self.model,
            "sha256": self.sha256,
            "labels": list(self.labels),
            **({"reason": self.reason} if self.reason else {}),
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
class UnreadableEvent:
    """A frame or a file that cannot be decoded; of a live source not more than one a second.

    Args:
        time: Seconds since 1970; of a recording, where the frame before it stands in it.
        source: The source's name.
        reason: What is wrong, and of a file its name.
    """

    time: float
    source: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """`{"event": "unreadable", ...}`."""
        return {
            "event": "unreadable",
            "time": round(self.time, 3),
            "source": self.source,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class DriftEvent:
    """What the camera sees has left what the model learnt from, or is as learnt again.

    Args:
        state: `drifting` or `back`.
        time: As of the prediction of the frame that showed it.
        statistic: One of `contract.learnt.STATISTICS`.
        seen: Its median over the latest minute.
        median: Of the held-out pictures.
        low: 2.5% of the held-out pictures have less.
        high: 2.5% of them have more.
    """

    state: Literal["drifting", "back"]
    time: float
    statistic: str
    seen: float
    median: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """`{"event": "drift", ...}`."""
        return {
            "event": "drift",
            "state": self.state,
            "time": round(self.time, 3),
            "statistic": self.statistic,
            "seen": round(self.seen, 4),
            "learnt": {
                "median": round(self.median, 4),
                "low": round(self.low, 4),
                "high": round(self.high, 4),
            },
        }
