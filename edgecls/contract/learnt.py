"""What a model has learnt from: how bright, sharp and colourful its pictures were, how sure it was.

A card holds this for a handful of statistics, so that a board can tell when what it sees has left
it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.errors import InvalidValueError

Values: TypeAlias = npt.NDArray[np.float64]

# Shares of the pictures whose value lies below each quantile, and what these are in a normal
# distribution of deviation 1.
SHARES: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995)
# As constants: importing what computes them would cost every start of the camera 6 ms.
_UPPER: Final = (0.6744898, 1.2815516, 1.959964, 2.5758293)
_NORMAL: Final = np.array([*(-value for value in reversed(_UPPER)), 0.0, *_UPPER])
_MIDDLE: Final = len(SHARES) // 2
_MOST_DEVIATIONS: Final = 8.0
_MOST: Final = 1e6


@dataclass(frozen=True, slots=True)
class _Scale:
    """How values of a statistic are compared.

    Args:
        least: What one deviation is at least: pictures that are all equally bright must not make
            an alarm of two gray levels.
        offset: What is added before the logarithm is taken, since light and sharpness change by
            factors; None for statistics that change by differences.
    """

    least: float
    offset: float | None = None

    def apply(self, values: npt.ArrayLike) -> Values:
        numbers = np.asarray(values, np.float64)
        return numbers if self.offset is None else np.log(np.maximum(numbers, 0.0) + self.offset)


_SCALES: Final[Mapping[str, _Scale]] = {
    "brightness": _Scale(0.05, offset=4.0),
    "contrast": _Scale(0.05, offset=2.0),
    "sharpness": _Scale(0.05, offset=0.05),
    "saturation": _Scale(0.10, offset=4.0),
    "red": _Scale(0.01),
    "blue": _Scale(0.01),
    "score": _Scale(0.02),
}
STATISTICS: Final = tuple(_SCALES)
# The outer quantiles of few pictures are too narrow: by a fifth of 50, by a hundredth of 1,000.
_WIDENING_PICTURES: Final = 10
# How many pictures' worth the spread of all pictures counts where classes have few.
_PRIOR_PICTURES: Final = 10


@dataclass(frozen=True, slots=True)
class Learnt:
    """One statistic over the held-out pictures.

    Args:
        quantiles: Its values at `SHARES`, ascending.
        low: Mean of the class that has least of it, in deviations (see `to_deviations`).
        high: Mean of the class that has most of it.
        spread: Standard deviation over all pictures, as `to_scale` gives their values.
    """

    quantiles: tuple[float, ...]
    low: float
    high: float
    spread: float

    def __post_init__(self) -> None:
        numbers = (*self.quantiles, self.low, self.high, self.spread)
        # No comparison holds for what is not a number.
        if len(self.quantiles) != len(SHARES) or not all(abs(n) <= _MOST for n in numbers):
            raise InvalidValueError(f"learnt quantiles {self.quantiles!r:.80} are no {len(SHARES)}")
        if any(later < earlier for earlier, later in itertools.pairwise(self.quantiles)):
            raise InvalidValueError(f"learnt quantiles {self.quantiles!r:.80} do not ascend")
        if self.low > self.high or self.spread <= 0:
            raise InvalidValueError(
                f"learnt low {self.low:g}, high {self.high:g}, spread {self.spread:g}:"
                " wanted low <= high and a spread above 0"
            )

    @property
    def median(self) -> float:
        """Half of the pictures have less of it."""
        return self.quantiles[_MIDDLE]

    @property
    def usual(self) -> tuple[float, float]:
        """What 95% of the pictures lie between."""
        return self.quantiles[1], self.quantiles[-2]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "quantiles": list(self.quantiles),
            "low": self.low,
            "high": self.high,
            "spread": self.spread,
        }

    @classmethod
    def from_json(cls, value: Any) -> Learnt:
        """Read what `to_json` gave.

        Raises:
            InvalidValueError: It is something else.
        """
        try:
            numbers = [_number(number) for number in value["quantiles"]]
            rest = [_number(value[name]) for name in ("low", "high", "spread")]
        except (TypeError, KeyError, OverflowError) as wrong:
            raise InvalidValueError(
                f"card.json: learnt statistics are {value!r:.60}",
                hint="the card is damaged or edited by hand; run 'edgecls convert' again",
            ) from wrong
        return cls(tuple(numbers), *rest)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return float(value)


def to_scale(name: str, values: npt.ArrayLike) -> Values:
    """Values on the scale on which changes of a statistic compare: light by its logarithm."""
    return _SCALES[name].apply(values)


def to_deviations(name: str, values: npt.ArrayLike, quantiles: Sequence[float]) -> Values:
    """Values in deviations of a normal distribution that has the same quantiles.

    So skewed statistics, and such with outliers, need no other treatment than normal ones: 0 is the
    median, and 2 is above 97.5% of the pictures. Beyond the outer quantiles it goes on with the
    larger of the last step and the average one; at +-8 it ends.

    Args:
        name: One of `STATISTICS`.
        values: Any shape.
        quantiles: At `SHARES`.
    """
    scale = _SCALES[name]
    places, least = scale.apply(quantiles), scale.least
    average = (places[-1] - places[0]) / (_NORMAL[-1] - _NORMAL[0])
    steps = np.maximum(np.diff(places), least * np.diff(_NORMAL))
    ends = [
        max(step / gap, average, least) * (_MOST_DEVIATIONS + _NORMAL[0])
        for step, gap in (
            (steps[0], _NORMAL[1] - _NORMAL[0]),
            (steps[-1], _NORMAL[-1] - _NORMAL[-2]),
        )
    ]
    steps = np.concatenate([[ends[0]], steps, [ends[1]]])
    edges = np.concatenate([[0.0], np.cumsum(steps)])
    edges += places[_MIDDLE] - edges[_MIDDLE + 1]
    normal = np.concatenate([[-_MOST_DEVIATIONS], _NORMAL, [_MOST_DEVIATIONS]])
    return np.asarray(np.interp(scale.apply(values), edges, normal), np.float64)


def learn(name: str, values: Values, targets: npt.NDArray[np.int64]) -> Learnt:
    """Sum up one statistic of the held-out pictures.

    A camera may show one class only, so what it sees lies anywhere between the means of the
    classes. These means are drawn towards that of all as far as chance alone explains them.

    Args:
        name: One of `STATISTICS`.
        values: (N,), finite, N at least 1.
        targets: (N,), the class of each.
    """
    found = np.quantile(values, SHARES)
    found += (found - found[_MIDDLE]) * (_WIDENING_PICTURES / len(values))
    quantiles = tuple(float(f"{value:.5g}") for value in found)
    deviations = to_deviations(name, values, quantiles)
    means = _class_means(deviations, targets)
    return Learnt(
        quantiles,
        low=round(float(means.min()), 4),
        high=round(float(means.max()), 4),
        spread=float(f"{max(float(to_scale(name, values).std()), _SCALES[name].least):.5g}"),
    )


def _class_means(deviations: Values, targets: npt.NDArray[np.int64]) -> Values:
    """Of each class that has pictures, and last of all pictures; shrunk (James and Stein 1961)."""
    _, members, counts = np.unique(targets, return_inverse=True, return_counts=True)
    members = members.reshape(-1)
    whole = deviations.mean()
    means = np.bincount(members, deviations) / counts
    # Where each class has one picture, its own deviation says nothing of the class.
    freedom = len(deviations) - len(counts) + _PRIOR_PICTURES
    prior = _PRIOR_PICTURES * deviations.var()
    within = (np.square(deviations - means[members]).sum() + prior) / freedom
    chance = within / counts
    between = max(0.0, float(np.square(means - whole).mean() - chance.mean()))
    share = between / np.maximum(between + chance, 1e-9)
    return np.append(whole + (means - whole) * share, whole)
