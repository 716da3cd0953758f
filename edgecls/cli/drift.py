"""The option about drift: whether to tell that frames have left what the model learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.drift import DriftWatch

DriftOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--drift/--no-drift",
        help="Tell when light, focus, colours or scores have left what the model learnt.",
        rich_help_panel="Decisions",
    ),
]


def open_watch(classifier: Classifier, *, is_on: bool, is_reloaded: bool) -> DriftWatch | None:
    """What looks for drift; None where the card says nothing that frames could be compared with.

    Args:
        classifier: The live model.
        is_on: Whether the user wants it.
        is_reloaded: Whether another model may come, with another card.
    """
    if not is_on or not (classifier.model.card.learnt or is_reloaded):
        return None
    from edgecls.drift import DriftWatch

    return DriftWatch()
