"""What a remedy gained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgecls.contract.run import Subset
from edgecls_convert.attempt import Attempt
from edgecls_convert.calibration import CalibrationSet


@dataclass(frozen=True, slots=True)
class Outcome:
    """One remedy that was tried, or could not be.

    Args:
        remedy: Its name.
        words: What it does.
        subset: The pictures that it was judged on.
        images: How many these are.
        top1: Of the converted form with it; None where it could not be tried.
        gained: Pictures that it is right on, less those that the first conversion was right on.
        drop: Top-1 that it still loses against float, as a share of 1.
        agreement: With float, as a share of 1.
        seconds: That it took.
        note: Why it was not tried, or not kept; empty where there is nothing to say.
        is_kept: Whether the model that is written has it.
    """

    remedy: str
    words: str
    subset: Subset = "test"
    images: int = 0
    top1: float | None = None
    gained: int = 0
    drop: float = 0.0
    agreement: float = 0.0
    seconds: float = 0.0
    note: str = ""
    is_kept: bool = False

    @property
    def gained_points(self) -> float:
        """Percentage points of top-1 over the first conversion."""
        return 100 * self.gained / self.images if self.images else 0.0

    def describe(self) -> str:
        """One line for people."""
        if self.top1 is None:
            return f"{self.words}: {self.note}"
        note = f" ({self.note})" if self.note else ""
        kept = ", kept" if self.is_kept else ""
        return f"{self.words}: {self.top1:.1%}, {self.gained_points:+.1f} points{kept}{note}"

    def to_provenance(self) -> dict[str, Any]:
        """As the card keeps it: nothing that differs from one day to the next."""
        found: dict[str, Any] = {"remedy": self.remedy, "kept": self.is_kept}
        if self.top1 is not None:
            found |= {
                "judged_on": self.subset,
                "images": self.images,
                "top1": round(self.top1, 6),
                "gained_points": round(self.gained_points, 4),
                "drop": round(self.drop, 6),
                "agreement": round(self.agreement, 6),
            }
        return {**found, "note": self.note} if self.note else found

    def to_json(self) -> dict[str, Any]:
        """As `edgecls convert --json` prints it."""
        return {**self.to_provenance(), "seconds": round(self.seconds, 2)}


@dataclass(frozen=True, slots=True, eq=False)
class Treated:
    """The best that was found.

    Args:
        attempt: Measured on the held-out pictures.
        calibration: What its ranges were taken from.
        outcomes: Of all remedies that were tried, in order.
    """

    attempt: Attempt
    calibration: CalibrationSet | None
    outcomes: tuple[Outcome, ...] = ()
