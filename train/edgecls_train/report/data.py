"""The report's section on the pictures: how many there are, and what is wrong with them."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgecls_train.report.markup import (
    bullets,
    details,
    number_cell,
    paragraph,
    section,
    table,
    text_cell,
)
from edgecls_train.trained import Training
from edgecls_train.twins import Twins, find_twins

_NAMED: Final = 10


def data_section(training: Training) -> str:
    """How many pictures of each class serve for what, and the problems that training has met."""
    problems = _problems(training)
    return section(
        "data",
        "Pictures",
        *(problems or (paragraph("No unreadable and no repeated pictures were found."),)),
        _count_table(training),
    )


def _count_table(training: Training) -> str:
    labels, targets = training.dataset.labels, training.dataset.targets
    counts = {
        name: np.bincount(targets[positions], minlength=len(labels))
        for name, positions in training.split.subsets()
    }
    rows = [
        (text_cell(label), *(number_cell(f"{counts[name][index]:,}") for name in counts))
        for index, label in enumerate(labels)
    ]
    totals = (text_cell("all"), *(number_cell(f"{counts[name].sum():,}") for name in counts))
    shown = table(("label", "training", "validation", "test"), [*rows, totals])
    if len(labels) <= 2 * _NAMED:
        return shown
    return details(f"Pictures of each of the {len(labels)} classes", shown)


def _problems(training: Training) -> tuple[str, ...]:
    unreadable = training.dataset.unreadable
    parts = []
    if unreadable:
        parts.append(paragraph(f"Unreadable pictures, which were left out: {len(unreadable):,}"))
        parts.append(_first(unreadable))
    if twins := find_twins(training.dataset, training.split):
        parts += _twin_problems(twins)
    if parts:
        parts.append(paragraph("'edgecls check' shows them all, and can move them away.", "quiet"))
    return tuple(parts)


def _twin_problems(twins: Twins) -> list[str]:
    parts = []
    for groups, what in (
        (twins.across_labels, "Images with more than one label, of which one at most is right"),
        (
            twins.across_subsets,
            "Images both trained on and measured on, which flatters the figures above",
        ),
    ):
        if groups:
            parts.append(paragraph(f"{what}: {len(groups):,}"))
            parts.append(_first([" = ".join(group) for group in groups]))
    if twins.surplus and not parts:
        parts.append(
            paragraph(f"Pictures that repeat one of the same label and use: {twins.surplus:,}")
        )
    return parts


def _first(items: list[str] | tuple[str, ...]) -> str:
    rest = len(items) - _NAMED
    more = [f"and {rest} more"] if rest > 0 else []
    return bullets([*items[:_NAMED], *more])
