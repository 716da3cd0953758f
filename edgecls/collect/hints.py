"""What the pictures lack, said while there is a camera at hand and not when training refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from edgecls.collect.look import Look, count_alike, least_sharp

# As `edgecls check` and the split of training have them.
FEW_PICTURES: Final = 20
FEW_MOMENTS: Final = 3
MOST_IMBALANCE: Final = 5
# Of what was looked at: from then on a label shows one scene over and over.
_ALIKE_SHARE: Final = 1 / 3
_LEAST_ALIKE: Final = 5
_POOR_SHARE: Final = 1 / 4
_LEAST_POOR: Final = 3
_MOST_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing to do.

    Args:
        kind: For programs and for the order.
        text: For people, whole.
        label: Whose; empty where it is about all of them.
    """

    kind: str
    text: str
    label: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"kind": self.kind, "text": self.text, "label": self.label}


@dataclass(frozen=True, slots=True)
class Share:
    """What is known of a label.

    Args:
        label: Its name.
        count: Pictures.
        moments: Different ones: the pictures of one burst show one.
        looks: Of the newest pictures, the oldest of them first.
        unreadable: Pictures among these that cannot be read.
        alike: How many of the looks are like another one; None to find it out.
    """

    label: str
    count: int
    moments: int
    looks: Sequence[Look] = field(default_factory=tuple)
    unreadable: int = 0
    alike: int | None = None


def find_hints(shares: Sequence[Share]) -> list[Hint]:
    """What to do, the most urgent first."""
    least = least_sharp([look for share in shares for look in share.looks])
    rules = (
        list(_about_labels(shares)),
        [hint for share in shares for hint in _about_moments(share)],
        list(_about_balance(shares)),
        list(_about_counts(shares)),
        [hint for share in shares for hint in _about_looks(share, least)],
    )
    return [hint for rule in rules for hint in rule]


def _about_labels(shares: Sequence[Share]) -> Iterator[Hint]:
    if len(shares) < 2:
        yield Hint("one-label", "Training needs at least two labels: add another one.")


def _about_moments(share: Share) -> Iterator[Hint]:
    if share.unreadable:
        yield Hint(
            "unreadable",
            f"{share.label}: {_pictures(share.unreadable)} cannot be read. Delete them.",
            share.label,
        )
    if share.count and share.moments < FEW_MOMENTS:
        times = "1 press" if share.moments == 1 else f"{share.moments} presses"
        yield Hint(
            "few-moments",
            f"{share.label}: all pictures come from {times}. Training needs at least"
            f" {FEW_MOMENTS}, of different moments: to train, to validate and to test.",
            share.label,
        )


def _about_balance(shares: Sequence[Share]) -> Iterator[Hint]:
    if len(shares) < 2:
        return
    most = max(shares, key=lambda share: share.count)
    least = min(shares, key=lambda share: share.count)
    if most.count >= FEW_PICTURES and most.count > MOST_IMBALANCE * max(1, least.count):
        yield Hint(
            "dominates",
            f"{most.label} dominates with {_pictures(most.count)}; {least.label} has"
            f" {least.count}. Take more of {least.label}.",
            most.label,
        )


def _about_counts(shares: Sequence[Share]) -> Iterator[Hint]:
    few = [share for share in shares if share.count < FEW_PICTURES]
    if few:
        counts = ", ".join(f"{share.label} {share.count}" for share in few[:_MOST_NAMED])
        if len(few) > _MOST_NAMED:
            counts += f" and {len(few) - _MOST_NAMED} labels more"
        yield Hint(
            "too-few", f"Too few: {counts}. {FEW_PICTURES} of each are a start, 100 are better."
        )


def _about_looks(share: Share, least: float) -> Iterator[Hint]:
    looks = share.looks
    alike = count_alike(looks) if share.alike is None else share.alike
    if alike >= max(_LEAST_ALIKE, _ALIKE_SHARE * len(looks)):
        yield Hint(
            "too-alike",
            f"{share.label}: {alike} of the newest {len(looks)} pictures look like another one."
            " Move the thing or the camera, change the light.",
            share.label,
        )
    for kind, count, advice in (
        ("dark", sum(look.is_dark for look in looks), "are very dark. Add light."),
        ("glaring", sum(look.is_glaring for look in looks), "are nearly white. Take light away."),
        (
            "blurred",
            sum(look.sharpness < least for look in looks),
            "are far less sharp than the others. Hold still, or clean the lens.",
        ),
    ):
        if count >= max(_LEAST_POOR, _POOR_SHARE * len(looks)):
            text = f"{share.label}: {count} of the newest {len(looks)} pictures {advice}"
            yield Hint(kind, text, share.label)


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"
