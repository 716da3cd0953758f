"""What a tuning found: its trials, which of them is best, and which none beats at its cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgecls.contract.run import RunFolder
from edgecls.metrics import wilson_interval
from edgecls_train.tune.cost import Cost, Limits

Outcome = Literal["trained", "over the limit", "failed", "out of time", "interrupted"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe, tried.

    Args:
        number: From 1, in the order of trying.
        recipe: Its name.
        changes: What it does differently from the recipe of that name.
        epochs: As many as it was to be trained for.
        cost: None where the network could not be built.
        outcome: What came of it.
        why: What was wrong, where it was not trained to its end.
        run: Its complete run folder; None where it was not trained to its end.
        right: Validation pictures answered rightly.
        images: Validation pictures.
        seconds: What the training took.
    """

    number: int
    recipe: str
    changes: str
    epochs: int
    cost: Cost | None
    outcome: Outcome
    why: str = ""
    run: RunFolder | None = None
    right: int = 0
    images: int = 0
    seconds: float = 0.0

    @property
    def accuracy(self) -> float:
        """Share of the validation pictures answered rightly; 0 where it was not trained."""
        return self.right / self.images if self.images else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        trained = {}
        if self.run is not None:
            low, high = wilson_interval(self.right, self.images)
            trained = {
                "run": str(self.run.path),
                "val": {
                    "top1": round(self.accuracy, 6),
                    "top1_interval": [round(low, 6), round(high, 6)],
                },
                "seconds": round(self.seconds, 3),
            }
        return {
            "trial": self.number,
            "recipe": self.recipe,
            "changes": self.changes,
            "epochs": self.epochs,
            "outcome": self.outcome,
            **({"why": self.why} if self.why else {}),
            **({"cost": _cost_json(self.cost)} if self.cost else {}),
            **trained,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """A tuning that came to its end, or was stopped after at least one trial.

    Args:
        trials: All of them.
        winner: The one of the best validation accuracy; the cheapest of equals.
        run: The winner as the latest run.
        metrics: What the winner's `metrics.json` holds: here, and only here, is a test accuracy.
        picture: Accuracy against cost, a PNG file.
        limits: What networks might cost.
        stopped: Why not everything planned was tried; empty when it was.
    """

    trials: tuple[Trial, ...]
    winner: Trial
    run: RunFolder
    metrics: dict[str, Any]
    picture: Path
    limits: Limits
    stopped: Literal["", "out of time", "interrupted"] = ""

    @property
    def front(self) -> tuple[Trial, ...]:
        """Trials that none of at most as many MACs beats, the cheapest first."""
        return find_front(self.trials, lambda cost: cost.macs)

    @property
    def cheaper(self) -> Trial | None:
        """The cheapest trial that is within the winner's 95% interval, if there is one."""
        low, _ = wilson_interval(self.winner.right, self.winner.images)
        as_good = [trial for trial in self.front if trial.accuracy >= low]
        return as_good[0] if as_good and as_good[0].number != self.winner.number else None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: the winner as `edgecls train` reports it, and every trial."""
        return {
            **self.metrics,
            "winner": self.winner.number,
            "front": [trial.number for trial in self.front],
            "picture": str(self.picture),
            "limits": dataclasses.asdict(self.limits),
            "stopped": self.stopped,
            "trials": [trial.to_json() for trial in self.trials],
        }


def find_front(trials: Sequence[Trial], price: Callable[[Cost], float]) -> tuple[Trial, ...]:
    """The Pareto front: trained trials for which none is both as cheap and more accurate.

    Args:
        trials: In any order; those that were not trained are left out.
        price: What a cost is ordered by.

    Returns:
        The cheapest first, each more accurate than the one before.
    """
    trained = [(price(trial.cost), trial) for trial in trials if trial.run and trial.cost]
    front: list[Trial] = []
    for _, trial in sorted(trained, key=lambda pair: (pair[0], -pair[1].accuracy, pair[1].number)):
        if not front or trial.accuracy > front[-1].accuracy:
            front.append(trial)
    return tuple(front)


def rank(trials: Sequence[Trial]) -> list[Trial]:
    """Trained trials, the best first: by accuracy on validation pictures, then by MACs."""
    trained = [trial for trial in trials if trial.run and trial.cost]
    return sorted(trained, key=lambda t: (-t.accuracy, t.cost.macs if t.cost else 0, t.number))


def _cost_json(cost: Cost) -> dict[str, Any]:
    return dataclasses.asdict(cost) | {"latency_ms": round(cost.latency_ms, 4)}
