"""Options that say how scores become labels, and what they are turned into."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, TypeAlias

import typer

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.contract.labels import Labels
    from edgecls.decision import DecisionSettings

_PANEL: Final = "Decisions"

ThresholdOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        help="Score (0-1) below which the answer is 'unknown'; else the card's own.",
        rich_help_panel=_PANEL,
    ),
]
AllowOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        help="Say only these labels: LABEL,LABEL,... The best of them counts.",
        rich_help_panel=_PANEL,
    ),
]
DenyOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--deny", help="Never say these labels: LABEL,LABEL,...", rich_help_panel=_PANEL),
]
SmoothingOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--smoothing",
        help="Seconds over which scores are averaged; else 0.4.",
        rich_help_panel=_PANEL,
    ),
]
MarginOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--margin",
        help="Score by which a new label must beat the old; else 0.1.",
        rich_help_panel=_PANEL,
    ),
]
HoldOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--hold", help="Seconds that a label stays at least; else 0.5.", rich_help_panel=_PANEL
    ),
]
NoSmoothingOption: TypeAlias = Annotated[
    bool, typer.Option("--no-smoothing", help="Look at each frame alone.", rich_help_panel=_PANEL)
]
LabelEventsOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--label-events", help="Say when a label entered and left, too.", rich_help_panel=_PANEL
    ),
]
HeldOption: TypeAlias = Annotated[
    list[float] | None,
    typer.Option(
        "--held",
        help="Say when a label has stayed for so many seconds; repeatable.",
        rich_help_panel=_PANEL,
    ),
]


class DecisionChoices(NamedTuple):
    """What the user wrote; None and empty where nothing was."""

    threshold: float | None = None
    allow: list[str] | None = None
    deny: list[str] | None = None
    smoothing: float | None = None
    margin: float | None = None
    hold: float | None = None
    no_smoothing: bool = False
    label_events: bool = False
    held: list[float] | None = None


def to_settings(choices: DecisionChoices, labels: Labels) -> DecisionSettings:
    """The settings for a model with these labels.

    Raises:
        InvalidValueError: An unknown label, or a value that makes no sense.
    """
    from edgecls.decision import DecisionSettings, split_labels
    from edgecls.errors import InvalidValueError
    from edgecls.smoothing import Steadiness

    values = {
        "time_constant_s": choices.smoothing,
        "margin": choices.margin,
        "min_hold_s": choices.hold,
    }
    given = {name: value for name, value in values.items() if value is not None}
    if choices.no_smoothing and given:
        raise InvalidValueError(
            "--no-smoothing was given together with --smoothing, --margin or --hold",
            hint="leave one of them out",
        )
    if choices.no_smoothing:
        given = dict.fromkeys(values, 0.0)
    return DecisionSettings(
        threshold=choices.threshold,
        allow=tuple(n for text in choices.allow or () for n in split_labels(text, labels)),
        deny=tuple(n for text in choices.deny or () for n in split_labels(text, labels)),
        steadiness=Steadiness(**given),
        has_label_events=choices.label_events,
        held_s=tuple(choices.held or ()),
    )


def warn_of_low_scores(settings: DecisionSettings, classifier: Classifier) -> None:
    """Say on stderr that frames of a label that may not be said are given to another one."""
    from edgecls.decision import Decider

    decider = Decider(classifier.labels, classifier.model.card.output, settings)
    if decider.has_no_threshold:
        print(
            "warning: without a threshold, a frame of a label that may not be said gets the best"
            " of the others, however low its score: add --threshold 0.5 or so",
            file=sys.stderr,
        )
