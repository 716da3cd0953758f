"""Scores of a frame -> what the loop says: the label now, the steady label, who came and left."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.card import Output
from edgecls.contract.events import UNKNOWN, Prediction
from edgecls.contract.labels import Labels
from edgecls.errors import InvalidValueError
from edgecls.smoothing import Change, Scores, Smoother, Steadiness

if TYPE_CHECKING:  # imported only where its events are asked for
    from edgecls.presence import Presence, Stay

# Below so much time a rate by the hour says nothing.
_LEAST_FOR_RATE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """How scores become labels.

    Args:
        threshold: Score below which the answer is `unknown`; None for the card's own.
        allow: The only labels that may be said; empty for all.
        deny: Labels that may not be said.
        steadiness: Of the steady label.
        has_label_events: Whether to say when a label entered and left.
        held_s: After how many seconds to say that a label is still there.
    """

    threshold: float | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    steadiness: Steadiness = field(default_factory=Steadiness)
    has_label_events: bool = False
    held_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InvalidValueError(f"the threshold is {self.threshold}, wanted a score in 0 to 1")
        for seconds in self.held_s:
            if not 0 < seconds < 1e9:
                raise InvalidValueError(f"held_s is {seconds}, wanted more than 0 seconds")


@dataclass(frozen=True, slots=True)
class Decision:
    """What one frame came to.

    Args:
        label: The best label that may be said, or `unknown` below its threshold.
        score: Of the best label that may be said, as the model gave it.
        change: The steady label became another one.
        stays: Who entered, left or was held.
        steady: The steady label from this frame on; empty where nothing is smoothed.
    """

    label: str
    score: float
    change: Change | None = None
    stays: tuple[Stay, ...] = ()
    steady: str = ""


class Decider:
    """Decides frame by frame.

    A label that may not be said is passed over, and the best of the others counts with the score
    that the model gave it. Scores are not made to add up to 1 again: that would turn the 3% of a
    label beside a denied 90% into 30%, past any threshold.

    Args:
        labels: Of the model.
        output: The card's thresholds.
        settings: What the user wants.
        is_sequence: Whether frames follow each other in time; pictures of a folder do not, so
            they have no steady label.

    Raises:
        InvalidValueError: An allowed or denied label is none of the model, or none is left.
    """

    def __init__(
        self,
        labels: Labels,
        output: Output,
        settings: DecisionSettings | None = None,
        *,
        is_sequence: bool = True,
    ) -> None:
        settings = settings or DecisionSettings()
        self.flips = Flips()
        self._labels = labels
        self._allowed = _allowed(labels, settings.allow, settings.deny)
        self._thresholds = _thresholds(labels, output, settings.threshold)[self._allowed]
        self._names = Labels(tuple(labels[int(i)] for i in self._allowed))
        self._smoother = None
        if is_sequence:
            self._smoother = Smoother(self._names, self._thresholds, settings.steadiness)
        self._presence: Presence | None = None
        if is_sequence and (settings.has_label_events or settings.held_s):
            from edgecls.presence import Presence

            self._presence = Presence(settings.held_s)

    def decide(self, scores: Scores, time_s: float) -> Decision:
        """Decide about a frame.

        Args:
            scores: (classes,), 0-1, of all classes of the model.
            time_s: When the frame was captured, never earlier than the one before.
        """
        scores = scores[self._allowed]
        winner = int(scores.argmax())
        label = self._names[winner] if scores[winner] >= self._thresholds[winner] else UNKNOWN
        score = float(scores[winner])
        if self._smoother is None:
            return Decision(label, score)
        change = self._smoother.update(scores, time_s)
        self.flips.add(label, self._smoother.label, time_s)
        stays = self._presence.update(self._smoother.label, time_s) if self._presence else []
        return Decision(label, score, change, tuple(stays), self._smoother.label)

    def leave(self, time_s: float) -> tuple[Stay, ...]:
        """Who left because this model goes: the steady label begins anew with the next one."""
        return tuple(self._presence.update(UNKNOWN, time_s)) if self._presence else ()

    def top(self, scores: Scores, k: int) -> list[Prediction]:
        """The `k` best labels that may be said, best first; ties go to the lower index."""
        best = self._allowed[np.argsort(-scores[self._allowed], kind="stable")[:k]]
        return [Prediction(int(i), self._labels[int(i)], float(scores[i])) for i in best]

    @property
    def has_no_threshold(self) -> bool:
        """Whether labels are denied and yet any score, however low, is good enough."""
        return len(self._allowed) < len(self._labels) and not self._thresholds.any()


class Flips:
    """How often the label of single frames and the steady label became another one."""

    def __init__(self) -> None:
        self.label = 0
        self.steady = 0
        self._last: tuple[str, str] | None = None
        self._first_s = 0.0
        self._last_s = 0.0

    def add(self, label: str, steady: str, time_s: float) -> None:
        """Take the two labels of a frame, and when it was captured."""
        if self._last is None:
            self._first_s = time_s
        else:
            self.label += label != self._last[0]
            self.steady += steady != self._last[1]
        self._last, self._last_s = (label, steady), time_s

    def to_json(self) -> dict[str, float]:
        """Per hour; empty where less than a second was seen."""
        seen_s = self._last_s - self._first_s
        if seen_s < _LEAST_FOR_RATE_S:
            return {}
        return {
            "label": round(self.label / seen_s * 3600, 1),
            "steady": round(self.steady / seen_s * 3600, 1),
        }


def split_labels(text: str, labels: Labels) -> tuple[str, ...]:
    """The names in a comma list; a name may have commas itself, as many of ImageNet have.

    Raises:
        InvalidValueError: A name is no label; the hint names the nearest ones.
    """
    known = set(labels)
    parts = text.split(",")
    found: list[str] = []
    while parts:
        for length in range(len(parts), 0, -1):
            name = ",".join(parts[:length]).strip()
            if name in known:
                found.append(name)
                break
        else:
            raise no_label(parts[0].strip(), labels)
        del parts[:length]
    return tuple(found)


def no_label(name: str, labels: Labels) -> InvalidValueError:
    """The error for a name that is no label, with the nearest ones as a hint."""
    folded = {label.casefold(): label for label in labels}
    near = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    few = ", ".join(repr(label) for label in labels.names[:5])
    return InvalidValueError(
        f"the model has no label {name!r}",
        hint=f"did you mean {' or '.join(repr(folded[label]) for label in near)}?"
        if near
        else f"its labels are {few}{', ...' if len(labels) > 5 else ''}: see 'edgecls inspect'",
    )


def _allowed(labels: Labels, allow: Sequence[str], deny: Sequence[str]) -> npt.NDArray[np.intp]:
    """The indices of the labels that may be said, ascending."""
    for name in (*allow, *deny):
        if name not in labels.names:
            raise no_label(name, labels)
    kept = [
        index
        for index, name in enumerate(labels)
        if (not allow or name in allow) and name not in deny
    ]
    if not kept:
        raise InvalidValueError(
            "every label is denied, so there is nothing left to say",
            hint="allow at least one label that is not denied",
        )
    return np.array(kept, np.intp)


def _thresholds(labels: Labels, output: Output, given: float | None) -> npt.NDArray[np.float32]:
    """The score each class must reach, (classes,)."""
    if given is not None:
        return np.full(len(labels), given, np.float32)
    own = output.class_thresholds
    return np.array([own.get(label, output.reject_threshold) for label in labels], np.float32)
