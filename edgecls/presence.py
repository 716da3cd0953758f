"""When a label came, how long it has been there, and when it left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgecls.contract.events import UNKNOWN


@dataclass(frozen=True, slots=True)
class Stay:
    """Something that happened to a label; `seconds` as in `LabelEvent`."""

    state: Literal["entered", "left", "held"]
    label: str
    seconds: float = 0.0


class Presence:
    """Follows the steady label; `unknown` neither enters nor leaves.

    Args:
        held_s: After how many seconds to say that a label is still there, once for each stay.
    """

    def __init__(self, held_s: Sequence[float] = ()) -> None:
        self._held_s = sorted(held_s)
        self._label = UNKNOWN
        self._since_s = 0.0
        self._told = 0

    def update(self, label: str, time_s: float) -> list[Stay]:
        """Take the steady label of a frame.

        Args:
            label: A label of the model, or `unknown`.
            time_s: When the frame was captured, never earlier than the one before.

        Returns:
            What happened, in order: held, left, entered.
        """
        # Also in the frame that shows another label: until then it was there.
        found = self._hold(time_s)
        if label == self._label:
            return found
        if self._label != UNKNOWN:
            found.append(Stay("left", self._label, time_s - self._since_s))
        if label != UNKNOWN:
            found.append(Stay("entered", label))
        self._label, self._since_s, self._told = label, time_s, 0
        return found

    def _hold(self, time_s: float) -> list[Stay]:
        found: list[Stay] = []
        if self._label == UNKNOWN:
            return found
        # A microsecond: media times are quotients, and 50 frames at 10 a second are 5 s.
        stayed_s = time_s - self._since_s + 1e-6
        while self._told < len(self._held_s) and stayed_s >= self._held_s[self._told]:
            found.append(Stay("held", self._label, self._held_s[self._told]))
            self._told += 1
        return found
