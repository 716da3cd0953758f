"""Charts as SVG: they follow the page's light or dark colours and stay sharp in print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edgecls.metrics import ScoreBin
from edgecls_train.report.markup import escape

_WIDTH: Final = 420
_HEIGHT: Final = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 38
_MOST_DOTS: Final = 40

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A named line through points, from left to right; `kind` is its colour's CSS class."""

    name: str
    kind: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Axis:
    """A range, where its ticks are, and what it measures."""

    low: float
    high: float
    ticks: tuple[float, ...]
    title: str

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)


def axis_over(values: Sequence[float], title: str, *, whole: bool = False) -> Axis:
    """An axis with round ticks around values."""
    low, high = min(values), max(values)
    step = _round_step((high - low) / 4 or abs(high) or 1.0)
    if whole:
        step = max(1.0, round(step))
        first = math.ceil(low / step) * step
        ticks = tuple(first + step * n for n in range(int((high - first) / step) + 1))
        return Axis(low, max(high, low + 1.0), ticks, title)
    bottom, top = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    top = max(top, bottom + 1)
    ticks = tuple(step * n for n in range(bottom, top + 1))
    return Axis(step * bottom, step * top, ticks, title)


def draw_lines(lines: Sequence[Line], horizontal: Axis, vertical: Axis) -> str:
    """Lines over two axes, with a legend above where there is more than one."""
    body = "".join(_draw_line(line, horizontal, vertical) for line in lines)
    legend = "".join(f'<span class="key {line.kind}">{escape(line.name)}</span>' for line in lines)
    caption = f"<figcaption>{legend}</figcaption>" if len(lines) > 1 else ""
    name = f"{vertical.title} over {horizontal.title}"
    return f"<figure>{caption}{_frame(body, horizontal, vertical, name)}</figure>"


def draw_reliability(bins: Sequence[ScoreBin]) -> str:
    """Score against accuracy; the larger a dot, the more pictures it stands for."""
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    horizontal = Axis(0.0, 1.0, ticks, "score (%)")
    vertical = Axis(0.0, 1.0, ticks, "right (%)")
    most = max(entry.images for entry in bins)
    start, end = _place((0.0, 0.0), horizontal, vertical), _place((1.0, 1.0), horizontal, vertical)
    dots = "".join(
        _dot(
            _place((entry.score, entry.accuracy), horizontal, vertical),
            "val",
            3.0 + 9.0 * math.sqrt(entry.images / most),
            f"{entry.images} pictures: score {entry.score:.1%}, right {entry.accuracy:.1%}",
        )
        for entry in bins
    )
    diagonal = f'<path class="ideal" d="M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"/>'
    drawing = _frame(diagonal + dots, horizontal, vertical, "how often a score is right", 100.0)
    return f"<figure>{drawing}</figure>"


def _draw_line(line: Line, horizontal: Axis, vertical: Axis) -> str:
    places = [_place(point, horizontal, vertical) for point in line.points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    dots = ""
    if len(places) <= _MOST_DOTS:
        dots = "".join(
            _dot(place, line.kind, 2.5, f"{line.name}: {_tick(value)} at {_tick(at)}")
            for place, (at, value) in zip(places, line.points, strict=True)
        )
    return f'<path class="line {line.kind}" d="M{path}"/>{dots}'


def _dot(place: Point, kind: str, radius: float, title: str) -> str:
    return (
        f'<circle class="dot {kind}" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{radius:.1f}">'
        f"<title>{escape(title)}</title></circle>"
    )


def _frame(body: str, horizontal: Axis, vertical: Axis, name: str, factor: float = 1.0) -> str:
    """Axes, grid and labels around a drawing; tick labels are values times `factor`."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    grid = []
    for tick in vertical.ticks:
        _, y = _place((horizontal.low, tick), horizontal, vertical)
        grid.append(
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" class="end">{_tick(tick * factor)}</text>'
        )
    for tick in horizontal.ticks:
        x, _ = _place((tick, vertical.low), horizontal, vertical)
        grid.append(
            f'<text x="{x:.1f}" y="{bottom + 16}" class="middle">{_tick(tick * factor)}</text>'
        )
    middle = (_LEFT + right) / 2
    titles = (
        f'<text x="{middle:.0f}" y="{_HEIGHT - 4}" class="middle">{escape(horizontal.title)}</text>'
        f'<text transform="translate(11 {(_TOP + bottom) / 2:.0f}) rotate(-90)" class="middle">'
        f"{escape(vertical.title)}</text>"
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(name)}">'
        f"{''.join(grid)}{titles}{body}</svg>"
    )


def _place(point: Point, horizontal: Axis, vertical: Axis) -> Point:
    across, up = horizontal.share(point[0]), vertical.share(point[1])
    return (
        _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
        _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
    )


def _round_step(step: float) -> float:
    """1, 2 or 5 times a power of ten, at least as large as `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(unit * power for unit in (1.0, 2.0, 5.0, 10.0) if unit * power >= step * 0.999)


def _tick(value: float) -> str:
    return f"{value:.4g}"
