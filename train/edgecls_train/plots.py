"""Pictures of a training: its curves and the confusion matrix, as PNG bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any, Final

from edgecls.contract.labels import Labels
from edgecls.imaging.prepare import Image
from edgecls.metrics import Quality, wilson_interval
from edgecls_train.history import Epoch
from edgecls_train.learning_curve import LearningCurve

_DPI: Final = 120
_TRAIN_COLOR: Final = "#1f77b4"
_VAL_COLOR: Final = "#d95f02"
# With more classes, figures in the cells and a name on every line cannot be read any more.
_MAX_COUNTED_CLASSES: Final = 25
_MAX_NAMED_CLASSES: Final = 60
_MAX_NAME_CHARACTERS: Final = 18


def draw_curves(history: Sequence[Epoch], title: str) -> bytes:
    """Loss and accuracy over the epochs, training beside validation.

    Args:
        history: At least one epoch.
        title: What was trained.

    Returns:
        A PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    figure.suptitle(title, parse_math=False)
    loss, accuracy = figure.subplots(1, 2)
    _draw_curve(loss, history, "loss", "loss", 1.0)
    _draw_curve(accuracy, history, "accuracy", "accuracy (%)", 100.0)
    loss.set_ylim(bottom=0.0)
    # Where curves end is what matters, and that is near 100.
    accuracy.set_ylim(top=min(100.5, accuracy.get_ylim()[1]))
    loss.legend()
    accuracy.legend(loc="lower right")
    return _to_png(figure)


def draw_learning_curve(curve: LearningCurve) -> bytes:
    """Accuracy over the number of training pictures, with 95% intervals.

    Returns:
        A PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    pictures = [point.pictures for point in curve.points]
    accuracy = [100.0 * point.accuracy for point in curve.points]
    intervals = [wilson_interval(point.right, point.measured) for point in curve.points]
    axes.errorbar(
        pictures,
        accuracy,
        yerr=[
            [value - 100.0 * low for value, (low, _) in zip(accuracy, intervals, strict=True)],
            [100.0 * high - value for value, (_, high) in zip(accuracy, intervals, strict=True)],
        ],
        color=_VAL_COLOR,
        marker="o",
        capsize=4,
    )
    axes.set_title("Would more pictures help?")
    axes.set_xlabel("training pictures")
    axes.set_ylabel("accuracy (%), with 95% intervals")
    axes.set_xlim(left=0)
    axes.set_xticks(pictures)
    axes.grid(alpha=0.3)
    return _to_png(figure)


def draw_confusion(quality: Quality, labels: Labels, title: str) -> bytes:
    """The confusion matrix: rows are the truth and add up to 100%, columns are the answers.

    Args:
        quality: Measured on the pictures that the title names.
        labels: Names of the classes.
        title: What was measured.

    Returns:
        A PNG file.
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    classes = len(labels)
    side = min(16.0, 4.0 + 0.42 * classes)
    figure = Figure(figsize=(side + 1.0, side), layout="constrained")
    axes = figure.subplots()
    totals = quality.confusion.sum(axis=1, keepdims=True).clip(min=1)
    shares = 100.0 * quality.confusion / totals
    # The square root makes the few mistakes of a good classifier visible.
    picture = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0.0, vmax=100.0))
    figure.colorbar(picture, ax=axes, shrink=0.8, label="share of the true class (%)")
    axes.set_title(title, parse_math=False)
    axes.set_xlabel("predicted label")
    axes.set_ylabel("true label")
    _name_classes(axes, labels)
    if classes <= _MAX_COUNTED_CLASSES:
        _write_counts(axes, quality, shares)
    return _to_png(figure)


def draw_pair(image: Image, overlaid: Image, title: str) -> bytes:
    """An image and its heat map, side by side and large enough to look at.

    Args:
        image: uint8, (height, width, 1 or 3).
        overlaid: uint8 RGB of the same size.
        title: One line above both.

    Returns:
        A PNG file.
    """
    from matplotlib.figure import Figure

    ratio = image.shape[0] / image.shape[1]
    figure = Figure(figsize=(6.4, min(12.0, 3.1 * ratio) + 0.4), layout="constrained")
    figure.suptitle(title, parse_math=False)
    for axes, picture in zip(figure.subplots(1, 2), (image, overlaid), strict=True):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
        axes.set_axis_off()
    return _to_png(figure)


def _draw_curve(axes: Any, history: Sequence[Epoch], name: str, label: str, factor: float) -> None:
    epochs = [epoch.epoch for epoch in history]
    for prefix, color, caption in (
        ("", _TRAIN_COLOR, "training (augmented, as it goes)"),
        ("val_", _VAL_COLOR, "validation"),
    ):
        values = [factor * float(getattr(epoch, prefix + name)) for epoch in history]
        axes.plot(epochs, values, color=color, label=caption, marker="o", markersize=3)
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)


def _name_classes(axes: Any, labels: Labels) -> None:
    step = -(-len(labels) // _MAX_NAMED_CLASSES)
    ticks = range(0, len(labels), step)
    names = [_shorten(labels[tick]) for tick in ticks]
    is_wide = max(map(len, names)) > 3
    axes.set_yticks(ticks, names, parse_math=False)
    axes.set_xticks(
        ticks,
        names,
        parse_math=False,
        rotation=45 if is_wide else 0,
        ha="right" if is_wide else "center",
        rotation_mode="anchor",
    )


def _write_counts(axes: Any, quality: Quality, shares: Any) -> None:
    for row, counts in enumerate(quality.confusion):
        for column, count in enumerate(counts):
            if count:
                axes.text(
                    column,
                    row,
                    str(count),
                    ha="center",
                    va="center",
                    fontsize=9,
                    color="white" if shares[row, column] > 25.0 else "black",
                )


def _shorten(name: str) -> str:
    if len(name) <= _MAX_NAME_CHARACTERS:
        return name
    return name[: _MAX_NAME_CHARACTERS - 1] + "…"


def _to_png(figure: Any) -> bytes:
    # A Figure of its own draws with Agg: no window, no display, no state shared with others.
    out = io.BytesIO()
    with warnings.catch_warnings():
        # A label in a script that the font lacks is drawn as boxes; the CSV and JSON have it.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        figure.savefig(out, format="png", dpi=_DPI, metadata={"Software": None})
    return out.getvalue()
