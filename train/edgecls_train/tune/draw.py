"""The picture of a tuning: accuracy against each cost, with the best front."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgecls.metrics import wilson_interval
from edgecls_train.tune.cost import Cost, Limits
from edgecls_train.tune.results import Trial, find_front

_DPI: Final = 120
_FRONT_COLOR: Final = "#1f77b4"
_OTHER_COLOR: Final = "#9aa5ae"
_WINNER_COLOR: Final = "#d95f02"
# With more, the names lie over each other.
_MAX_NAMED: Final = 12
# From this ratio on, an axis in equal steps would press the cheap ones together.
_WIDE_RANGE: Final = 8.0


@dataclass(frozen=True, slots=True)
class _Price:
    title: str
    of: Callable[[Cost], float]
    limit: float | None


def draw_front(trials: Sequence[Trial], winner: Trial, limits: Limits) -> bytes:
    """Accuracy on validation pictures over MACs, bytes and latency, cheap to the left.

    Args:
        trials: At least one of them trained.
        winner: Marked.
        limits: Drawn where they are set.

    Returns:
        A PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.6), layout="constrained")
    figure.suptitle(
        "Accuracy on validation pictures against what the int8 model costs, by number of trial"
    )
    prices = (
        _Price("million MACs", lambda cost: cost.macs / 1e6, _scaled(limits.macs, 1e-6)),
        _Price("kB of int8 model", lambda cost: cost.bytes / 1e3, _scaled(limits.bytes, 1e-3)),
        _Price("ms on this machine", lambda cost: cost.latency_ms, limits.latency_ms),
    )
    for axes, price in zip(figure.subplots(1, 3, sharey=True), prices, strict=True):
        _draw_panel(axes, trials, winner, price)
    figure.axes[0].set_ylabel("accuracy (%), with 95% intervals")
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    out = io.BytesIO()
    with warnings.catch_warnings():
        # A recipe's name in a script that the font lacks is drawn as boxes.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        figure.savefig(out, format="png", dpi=_DPI, metadata={"Software": None})
    return out.getvalue()


def _draw_panel(axes: Any, trials: Sequence[Trial], winner: Trial, price: _Price) -> None:
    front = find_front(trials, price.of)
    on_front = {trial.number for trial in front}
    trained = [trial for trial in trials if trial.run and trial.cost]
    spent = [price.of(trial.cost) for trial in trained if trial.cost]
    axes.plot(
        [*(price.of(trial.cost) for trial in front if trial.cost), max(spent)],
        [100.0 * trial.accuracy for trial in (*front, front[-1])],
        color=_FRONT_COLOR,
        linewidth=1.5,
        drawstyle="steps-post",
        label="best front: nothing as cheap is better",
    )
    for trial in trained:
        is_winner = trial.number == winner.number
        _draw_trial(axes, trial, price, is_winner=is_winner, is_best=trial.number in on_front)
        if is_winner or len(trained) <= _MAX_NAMED or trial.number in on_front:
            _name_trial(axes, trial, price)
    if price.limit is not None:
        axes.axvline(price.limit, color="black", linestyle="--", linewidth=1, label="limit")
    axes.set_xlabel(price.title)
    if max(spent) > _WIDE_RANGE * min(spent):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_plain_numbers())
        axes.xaxis.set_minor_formatter(_plain_numbers())
        axes.tick_params(axis="x", which="both", labelsize=8)
    else:
        axes.locator_params(axis="x", nbins=5)
    axes.margins(x=0.12)
    axes.grid(alpha=0.3)


def _draw_trial(axes: Any, trial: Trial, price: _Price, *, is_winner: bool, is_best: bool) -> None:
    if trial.cost is None:
        return
    low, high = wilson_interval(trial.right, trial.images)
    color = _WINNER_COLOR if is_winner else _FRONT_COLOR if is_best else _OTHER_COLOR
    accuracy = 100.0 * trial.accuracy
    axes.errorbar(
        [price.of(trial.cost)],
        [accuracy],
        yerr=[[max(0.0, accuracy - 100.0 * low)], [max(0.0, 100.0 * high - accuracy)]],
        color=color,
        marker="*" if is_winner else "o",
        markersize=12 if is_winner else 6,
        elinewidth=0.8,
        capsize=2,
        linestyle="none",
        zorder=3 if is_winner else 2,
        label="winner" if is_winner else None,
    )


def _name_trial(axes: Any, trial: Trial, price: _Price) -> None:
    if trial.cost is not None:
        axes.annotate(
            f"{trial.number}",
            (price.of(trial.cost), 100.0 * trial.accuracy),
            textcoords="offset points",
            xytext=(7, 4),
            fontsize=8,
            parse_math=False,
        )


def _plain_numbers() -> Any:
    """20 and 0.5, not 2x10^1; and only where there is room."""
    from matplotlib.ticker import FuncFormatter

    def show(value: float, _: int) -> str:
        lead = f"{value:e}"[0]
        return f"{value:g}" if lead in "125" else ""

    return FuncFormatter(show)


def _scaled(limit: float | None, factor: float) -> float | None:
    return None if limit is None else limit * factor
