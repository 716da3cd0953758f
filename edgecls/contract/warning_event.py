"""What the camera loop says of a camera that gives frames, but not what it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Trouble: TypeAlias = Literal["frozen", "black", "slow", "failing"]


@dataclass(frozen=True, slots=True)
class WarningEvent:
    """Pictures that are all the same, black, too few, or fail in the model; or that are well again.

    Args:
        trouble: What is wrong.
        state: `begin` or `end`.
        time: Seconds since 1970.
        source: The source's name.
        seconds: For how long it has been so.
        reason: What was seen, and what to do about it; empty at the end.
    """

    trouble: Trouble
    state: Literal["begin", "end"]
    time: float
    source: str
    seconds: float
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """`{"event": "warning", ...}`."""
        return {
            "event": "warning",
            "trouble": self.trouble,
            "state": self.state,
            "time": round(self.time, 3),
            "source": self.source,
            "seconds": round(self.seconds, 1),
            **({"reason": self.reason} if self.reason else {}),
        }
