"""What the doctor says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

# `blocking`: the camera loop cannot run like this.
State: TypeAlias = Literal["ok", "note", "warning", "blocking"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        check: What was looked at, in a word or two: `camera`, `engine`, `voltage`.
        state: How bad it is.
        text: What was found.
        cure: What to do about it; empty where nothing is wrong.
    """

    check: str
    state: State
    text: str
    cure: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `edgecls doctor --json` prints it."""
        return {"check": self.check, "state": self.state, "text": self.text, "cure": self.cure}
