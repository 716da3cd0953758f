"""The report's sections on how good the model is: curves, classes, confusion, scores, mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgecls.metrics import ClassQuality
from edgecls_train.history import Epoch
from edgecls_train.learning_curve import LearningCurve
from edgecls_train.mistakes import Mistake
from edgecls_train.report.charts import Axis, Line, axis_over, draw_lines, draw_reliability
from edgecls_train.report.markup import (
    Cell,
    data_uri,
    details,
    escape,
    number_cell,
    paragraph,
    section,
    table,
    text_cell,
)
from edgecls_train.trained import Training

# More cells than that cannot be read any more.
_MOST_TABLE_CLASSES: Final = 25
_MOST_LISTED_CLASSES: Final = 30
_LISTED_PAIRS: Final = 10
_BLUE, _RED = "26, 111, 181", "200, 70, 30"


def curve_section(history: Sequence[Epoch]) -> str:
    """Loss and accuracy over the epochs."""
    epochs = axis_over([epoch.epoch for epoch in history], "epoch", whole=True)
    charts = []
    for name, title, factor in (("loss", "loss", 1.0), ("accuracy", "accuracy (%)", 100.0)):
        lines = [
            Line(
                caption,
                kind,
                [(e.epoch, factor * float(getattr(e, prefix + name))) for e in history],
            )
            for caption, kind, prefix in (
                ("training (augmented, as it goes)", "train", ""),
                ("validation", "val", "val_"),
            )
        ]
        values = [value for line in lines for _, value in line.points]
        charts.append(draw_lines(lines, epochs, _capped(axis_over(values, title), factor)))
    return section("curves", "Learning curves", f'<div class="charts">{"".join(charts)}</div>')


def learning_curve_section(curve: LearningCurve | None) -> str:
    """Accuracy over the number of training pictures, where it was asked for."""
    if curve is None:
        return ""
    points = [(float(point.pictures), 100.0 * point.accuracy) for point in curve.points]
    horizontal = Axis(0.0, points[-1][0] * 1.03, tuple(x for x, _ in points), "training pictures")
    vertical = _capped(axis_over([y for _, y in points], "accuracy (%)"), 100.0)
    chart = draw_lines([Line("accuracy", "val", points)], horizontal, vertical)
    return section(
        "learning-curve",
        "Would more pictures help?",
        paragraph(curve.verdict),
        f'<div class="charts">{chart}</div>',
        paragraph(
            f"Every point is a training of its own with the same number of steps, measured on the"
            f" same {curve.points[-1].measured:,} pictures that none was trained on.",
            "quiet",
        ),
    )


def class_section(training: Training) -> str:
    """Precision, recall and F1 of each class."""
    test = training.test
    tested = [entry for entry in test.per_class if entry.images]
    weakest_first = sorted(tested, key=lambda entry: entry.f1)
    is_long = len(tested) > _MOST_LISTED_CLASSES
    shown = weakest_first[:_MOST_LISTED_CLASSES] if is_long else tested
    means = (
        text_cell("mean of the classes"),
        number_cell(f"{test.images:,}"),
        number_cell(f"{test.macro_precision:.1%}"),
        number_cell(f"{test.macro_recall:.1%}"),
        number_cell(f"{test.macro_f1:.1%}"),
        Cell(_bar(test.macro_f1)),
    )
    return section(
        "classes",
        "Classes",
        paragraph(
            "Precision: how many of the pictures that got this label deserve it. Recall: how many"
            " of the pictures that deserve it got it. F1: both in one."
        ),
        paragraph(f"The {_MOST_LISTED_CLASSES} weakest of {len(tested)}:") if is_long else "",
        _class_table([*map(_class_row, shown), means]),
        details(f"All {len(tested)} classes", _class_table([*map(_class_row, tested)]))
        if is_long
        else "",
    )


def confusion_section(training: Training, picture: bytes) -> str:
    """Which labels are taken for which."""
    confusion, labels = training.test.confusion, training.dataset.labels
    mistakes = confusion.copy()
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:_LISTED_PAIRS]
    rows = [
        (
            text_cell(labels[truth]),
            Cell(escape(labels[answer]), "text"),
            number_cell(f"{mistakes[truth, answer]} of {confusion[truth].sum()}"),
        )
        for truth, answer in (divmod(int(index), len(labels)) for index in order)
        if mistakes[truth, answer]
    ]
    pairs = table(("truth", "answer", "how often"), rows, "pairs") if rows else ""
    if len(labels) <= _MOST_TABLE_CLASSES:
        matrix = _confusion_table(training)
    else:
        matrix = f'<img class="wide" alt="confusion matrix" src="{data_uri(picture)}">'
    return section(
        "confusion",
        "What is taken for what",
        paragraph(
            "Each row is a true label, each column an answer; the diagonal is right."
            if rows
            else "Each row is a true label, each column an answer: there is no mistake."
        ),
        f'<div class="side">{matrix}{pairs}</div>',
    )


def calibration_section(training: Training) -> str:
    """What a score is worth, and when the answer is "unknown"."""
    evaluation = training.evaluation
    calibration, certainty = evaluation.calibration, evaluation.certainty
    output = calibration.output
    before, after = certainty.error_before, certainty.error_after
    change = (
        f"The scores are used as they are (temperature 1): on test pictures score and accuracy"
        f" differ by {after:.1%} on average."
    )
    if output.temperature != 1.0:
        change = (
            f"The temperature {output.temperature:g} was found on validation pictures. On test"
            f" pictures score and accuracy differ by {before:.1%} on average without it, and by"
            f" {after:.1%} with it"
            + (", a difference too small for so few pictures." if after > before else ".")
        )
    rows = [
        (text_cell(label), number_cell(f"{threshold:.1%}"))
        for label, threshold in sorted(output.class_thresholds.items())
    ]
    return section(
        "calibration",
        "What a score is worth",
        paragraph(
            "Of the answers with a score of 80%, eight in ten should be right: then the dots lie"
            " on the line. The larger a dot, the more test pictures it stands for."
        ),
        f'<div class="charts">{draw_reliability(evaluation.test.bins)}</div>',
        paragraph(change),
        paragraph(_describe_rejection(training)),
        table(("label", "has to reach"), rows) if rows else "",
    )


def mistake_section(mistakes: Sequence[Mistake]) -> str:
    """The surest wrong answers, with where the network looked."""
    if not mistakes:
        return section("mistakes", "Worst mistakes", paragraph("No test picture is wrong."))
    heat = (
        " Beside each, red shows what spoke for the wrong answer (Grad-CAM)."
        if mistakes[0].heat
        else ""
    )
    figures = "".join(map(_mistake_figure, mistakes))
    return section(
        "mistakes",
        "Worst mistakes",
        paragraph(
            "The surest wrong answers on test pictures, as the network sees them: often a wrong"
            f" label, a picture that shows two things, or a background that misleads.{heat}"
        ),
        f'<div class="mistakes">{figures}</div>',
    )


def _capped(axis: Axis, factor: float) -> Axis:
    """Not beyond 100%, where there is nothing."""
    if factor == 1.0 or axis.high <= 100.0:
        return axis
    return Axis(axis.low, 100.0, tuple(t for t in axis.ticks if t <= 100.0), axis.title)


def _class_table(rows: Sequence[Sequence[Cell]]) -> str:
    return table(("label", "pictures", "precision", "recall", "F1", ""), rows)


def _class_row(entry: ClassQuality) -> tuple[Cell, ...]:
    return (
        text_cell(entry.label),
        number_cell(f"{entry.images:,}"),
        number_cell(f"{entry.precision:.1%}"),
        number_cell(f"{entry.recall:.1%}"),
        number_cell(f"{entry.f1:.1%}"),
        Cell(_bar(entry.f1)),
    )


def _bar(share: float) -> str:
    return f'<span class="bar"><i style="width:{100 * share:.0f}%"></i></span>'


def _confusion_table(training: Training) -> str:
    labels, confusion = training.dataset.labels, training.test.confusion
    totals = np.maximum(confusion.sum(axis=1), 1)
    rows = [
        (
            text_cell(labels[truth]),
            *(
                _confusion_cell(int(count), int(count) / int(totals[truth]), truth == answer)
                for answer, count in enumerate(confusion[truth])
            ),
        )
        for truth in range(len(labels))
    ]
    return table(("truth", *labels), rows, "confusion")


def _confusion_cell(count: int, share: float, is_right: bool) -> Cell:
    if not count:
        return Cell("0", "zero")
    color = _BLUE if is_right else _RED
    # The square root makes the few mistakes of a good classifier visible.
    depth = min(1.0, 0.15 + 0.85 * share**0.5)
    ink = ";color:#fff" if depth > 0.55 else ""
    return Cell(str(count), "", f"background:rgba({color},{depth:.2f}){ink}")


def _describe_rejection(training: Training) -> str:
    calibration = training.evaluation.calibration
    output, rejection = calibration.output, training.evaluation.certainty.rejection
    target = f"{calibration.target_precision:.0%}"
    low, high = rejection.to_json()["precision_interval"]
    if not calibration.is_reached:
        answered = (
            f"No threshold makes {target} of the answers right without rejecting more than half of"
            " the pictures, so nothing is rejected."
        )
    elif output.reject_threshold == 0.0 and not output.class_thresholds:
        return (
            f"Nothing is rejected: without it, {target} and more of the answers are right already."
            " A stricter camera: edgecls camera --threshold 0.9."
        )
    else:
        answered = (
            f'A score below {output.reject_threshold:.1%} is answered with "unknown", so that'
            f" {target} of the other answers are right."
        )
    return (
        f"{answered} Of the test pictures {rejection.coverage:.1%} are answered, and"
        f" {rejection.precision:.1%} of these rightly (95% interval {low:.1%} to {high:.1%})."
    )


def _mistake_figure(mistake: Mistake) -> str:
    small = ' class="small"' if mistake.is_small else ""
    pictures = [f'<img{small} alt="" src="{data_uri(mistake.picture)}">']
    if mistake.heat:
        pictures.append(f'<img{small} alt="heat map" src="{data_uri(mistake.heat)}">')
    pair = "pair" if mistake.heat else "pair single"
    return (
        f'<figure class="mistake"><div class="{pair}">{"".join(pictures)}</div><figcaption>'
        f"'{escape(mistake.truth)}' was taken for '{escape(mistake.answer)}' ({mistake.score:.1%})"
        f"<small>{escape(mistake.name)}; '{escape(mistake.truth)}' got {mistake.truth_score:.1%}"
        "</small></figcaption></figure>"
    )
