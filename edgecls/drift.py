"""Whether what the camera sees has left what the model learnt from, and which statistic says so.

Frames of a camera are no independent draws: a scene may stand still for hours, and all its frames
together say no more than one picture. So frames that look the same count as one scene, and the
median of a statistic over the window is sure only as far as the window shows different scenes:

    variance of the median = (1 - f) + f * (pi / 2) / m

in deviations of the held-out pictures. `m` is the effective number of scenes in the window, and
`f` the share of the learnt spread that is between these scenes: 0 where all look the same, since
the one scene may be anywhere in what was learnt, and 1 where the window is as varied as the
held-out pictures. An alarm needs four such deviations between the median and what any mixture of
classes would give, three times in a row. docs/drift.md has what follows from that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.classifier import Classifier
from edgecls.contract.card import ModelCard
from edgecls.contract.conditions import DriftEvent
from edgecls.contract.events import PredictionEvent
from edgecls.contract.learnt import STATISTICS, Learnt, to_deviations, to_scale
from edgecls.errors import InvalidValueError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import Image, prepare
from edgecls.imaging.statistics import measure_image
from edgecls.judge import Judgement, Moment, pixels_of

Look: TypeAlias = npt.NDArray[np.float32]
_OF_COLOR: Final = frozenset({"saturation", "red", "blue"})
_LOOK_SIDE: Final = 16
# Gray levels by which some cell must differ, as where pictures are kept: noise stays below.
_LEAST_DIFFERENCE: Final = 8.0
# The variance of a median of many draws, in units of that of their mean.
_OF_MEDIAN: Final = math.pi / 2


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """How frames are drawn and judged.

    Args:
        interval_s: Between two frames that are looked at, in the source's own time.
        window: Frames that are judged together.
        least: Frames from which on anything is said.
        stride: Frames between two judgements.
        alarm: Deviations of the window's median from what was learnt.
        back: Deviations below which it is as learnt again.
        hold: Judgements in a row that must agree on an alarm.
        hold_back: The same of its end.
    """

    interval_s: float = 1.0
    window: int = 120
    least: int = 40
    stride: int = 5
    alarm: float = 4.0
    back: float = 2.0
    hold: int = 3
    hold_back: int = 6

    def __post_init__(self) -> None:
        if not 0 < self.back <= self.alarm or not 1 <= self.least <= self.window:
            raise InvalidValueError(f"{self} makes no sense")


@dataclass(slots=True, eq=False)
class _Sample:
    """A frame that was looked at: its statistics, how it looks, and which scene of the window."""

    values: Mapping[str, float]
    look: Look
    scene: int


@dataclass(slots=True)
class _State:
    """Of one statistic."""

    is_drifting: bool = False
    agreeing: int = 0


@dataclass(slots=True, eq=False)
class DriftWatch:
    """Looks at a frame now and then, and says when a statistic leaves what was learnt and is back.

    A model whose card has no statistics, as those of others, is not watched.
    """

    settings: DriftSettings = field(default_factory=DriftSettings)
    _learnt: Mapping[str, Learnt] = field(default_factory=dict)
    _watched: Classifier | None = None
    _samples: deque[_Sample] = field(default_factory=deque)
    _states: dict[str, _State] = field(default_factory=dict)
    _next_s: float = float("-inf")
    _seen: int = 0
    _scenes: int = 0

    def look(
        self, classifier: Classifier, frame: CapturedFrame, judgement: Judgement, moment: Moment
    ) -> list[DriftEvent]:
        """Take a frame as it was judged; most are passed over at once.

        Args:
            classifier: The live model; another one begins anew.
            frame: With pixels.
            judgement: Of this frame.
            moment: Of it.
        """
        if classifier is not self._watched:
            self.begin(classifier.model.card)
            self._watched = classifier
        if moment.flow_s < self._next_s or not self._learnt:
            return []
        self._next_s = moment.flow_s + self.settings.interval_s
        image = prepare(pixels_of(frame), classifier.model.card.preprocessing)
        score = next(e.score for e, _ in judgement.events if isinstance(e, PredictionEvent))
        return self.add({**measure_image(image), "score": score}, look_of(image), moment.now())

    def begin(self, card: ModelCard) -> None:
        """Watch for what a card has learnt, with an empty window."""
        is_color = card.preprocessing.depth == 3
        known = [name for name in STATISTICS if is_color or name not in _OF_COLOR]
        self._learnt = {name: card.learnt[name] for name in known if name in card.learnt}
        self._states = {name: _State() for name in self._learnt}
        self._samples.clear()

    def add(self, values: Mapping[str, float], look: Look, now: float) -> list[DriftEvent]:
        """Take what was measured of a frame, and how it looks; judges now and then."""
        self._seen += 1
        if len(self._samples) == self.settings.window:
            self._samples.popleft()
        self._samples.append(_Sample(values, look, self._find_scene(look)))
        if self._seen % self.settings.stride or len(self._samples) < self.settings.least:
            return []
        return self._judge(now)

    def _judge(self, now: float) -> list[DriftEvent]:
        events: list[DriftEvent] = []
        shares = _shares_of([sample.scene for sample in self._samples])
        for name, learnt in self._learnt.items():
            values = np.array([sample.values[name] for sample in self._samples])
            distance = measure_drift(name, learnt, values, shares)
            if self._has_changed(self._states[name], distance):
                events.append(_event(name, learnt, self._states[name], values, now))
        return events

    @property
    def drifting(self) -> tuple[str, ...]:
        """The statistics that have left what was learnt."""
        return tuple(name for name, state in self._states.items() if state.is_drifting)

    def _find_scene(self, look: Look) -> int:
        """The number of the scene in the window that looks most like it, or a new one."""
        if self._samples:
            looks = np.stack([sample.look for sample in self._samples])
            differences = np.abs(looks - look).max(axis=(1, 2))
            nearest = int(differences.argmin())
            if differences[nearest] < _LEAST_DIFFERENCE:
                return self._samples[nearest].scene
        self._scenes += 1
        return self._scenes

    def _has_changed(self, state: _State, distance: float) -> bool:
        settings = self.settings
        limit = settings.back if state.is_drifting else settings.alarm
        is_beyond = abs(distance) >= limit
        state.agreeing = state.agreeing + 1 if is_beyond != state.is_drifting else 0
        if state.agreeing < (settings.hold_back if state.is_drifting else settings.hold):
            return False
        state.is_drifting, state.agreeing = not state.is_drifting, 0
        return True


def measure_drift(
    name: str, learnt: Learnt, values: npt.NDArray[np.float64], shares: npt.NDArray[np.float64]
) -> float:
    """How far a window is from what was learnt, in standard deviations of its median.

    Args:
        name: Of the statistic.
        learnt: Of the card.
        values: (N,), one a frame.
        shares: (N, scenes), 1 where a frame belongs to a scene.

    Returns:
        Below 0 for less than learnt, above 0 for more, 0 within the means of the classes. Where
        values are drawn as the held-out pictures were, the distance is that of a standard normal
        distribution or smaller.
    """
    deviations = to_deviations(name, values, learnt.quantiles)
    counts = shares.sum(axis=0)
    weights = counts / counts.sum()
    means = (to_scale(name, values) @ shares) / counts
    mean = float(weights @ means)
    effective = 1.0 / float(np.square(weights).sum())
    between = float(weights @ np.square(means - mean))
    share = min(1.0, between / learnt.spread**2) * (1.0 - 1.0 / effective)
    error = np.sqrt((1.0 - share) + share * _OF_MEDIAN / effective)
    # The median, and not the mean: a hand before the lens is no drift.
    middle = float(np.median(deviations))
    # One scene is a draw from all pictures; many may all be of one class.
    low, high = learnt.low * share, learnt.high * share
    beyond = min(0.0, middle - low) + max(0.0, middle - high)
    return float(beyond / error)


def _shares_of(scenes: list[int]) -> npt.NDArray[np.float64]:
    """(N, scenes), 1 where a frame belongs to a scene."""
    distinct, members = np.unique(scenes, return_inverse=True)
    return np.eye(len(distinct))[members.reshape(-1)]


def look_of(image: Image) -> Look:
    """The gray of an image in 16x16 cells, less its mean: a change of light is no other scene."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[:, :, 0]
    cells = cv2.resize(gray, (_LOOK_SIDE, _LOOK_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cells - np.float32(cells.mean()), np.float32)


def _event(
    name: str, learnt: Learnt, state: _State, values: npt.NDArray[np.float64], now: float
) -> DriftEvent:
    low, high = learnt.usual
    return DriftEvent(
        "drifting" if state.is_drifting else "back",
        now,
        name,
        float(np.median(values[len(values) // 2 :])),  # what came before the change is no news
        learnt.median,
        low,
        high,
    )
