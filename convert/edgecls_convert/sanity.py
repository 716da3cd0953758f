"""Why a float model is wrong about pictures it should know: colours, pixel values, labels.

Conversion compares forms of one network, so a fault that all of them share would pass unseen. What
is wrong is found by trying: the same pictures with red and blue swapped, with other pixel values,
and its answers under other labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls.errors import AccuracyLossError
from edgecls.metrics import Quality, wilson_interval
from edgecls.paired import chance_of_loss
from edgecls_convert.quiet import quietly
from edgecls_convert.source import ConversionSource
from edgecls_convert.subsets import RunPictures, choose_stratified

Pixels: TypeAlias = npt.NDArray[np.floating[Any]]
Targets: TypeAlias = npt.NDArray[np.int64]

_BATCH: Final = 32
# With fewer pictures of a class, the label that most of them get says little.
_ENOUGH_OF_A_CLASS: Final = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """What else could be done to the pixels: its words, its cure, and how."""

    words: str
    cure: str
    change: Callable[[Pixels], Pixels]


_SCALED: Final = "its first layers were trained on other pixel values"
# The last three undo one usual Rescaling layer, and the first two of them do another one instead.
_TRIALS: Final = (
    Trial(
        "with red and blue swapped",
        "it was trained on BGR pictures, as OpenCV reads them; train it on RGB ones",
        lambda pixels: pixels[..., ::-1],
    ),
    Trial(
        "with pixels scaled to 0..1",
        "put a Rescaling layer to 0..1 before it (a .keras file: --rescale 0..1)",
        lambda pixels: pixels / 255,
    ),
    Trial(
        "with pixels scaled to -1..1",
        "put a Rescaling layer to -1..1 before it (a .keras file: --rescale -1..1)",
        lambda pixels: pixels / 127.5 - 1,
    ),
    Trial(
        "with pixels stretched to -255..255",
        f"{_SCALED}: its Rescaling layer should give -1..1",
        lambda pixels: pixels * 2 - 255,
    ),
    Trial(
        "with pixels squeezed to 127..255",
        f"{_SCALED}: its Rescaling layer should give 0..1",
        lambda pixels: pixels / 2 + 127.5,
    ),
    Trial(
        "with pixels multiplied by 255",
        "it scales pixels twice: one of its Rescaling layers is too many",
        lambda pixels: pixels * 255,
    ),
)


_EXAMINED: Final = 100
# Mean score less accuracy: untrained models are not sure, overfitted ones by less too sure.
_TOO_SURE: Final = 0.5
# That a trial is as good only by chance (McNemar's exact test); several are made.
_CHANCE: Final = 0.001
# Share of the pictures by which two trials may differ and still be as good.
_ALIKE: Final = 0.05
# Percentage points by which float may differ from what training measured on the same pictures:
# other library versions and engines flip a picture now and then, never so many.
_MOST_CHANGED_POINTS: Final = 2.0
_MOST_FLIPPED: Final = 2.5


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a model is wrong, and what to do.

    Args:
        problem: Continues "it is right on ..., ".
        cure: What to do.
    """

    problem: str
    cure: str


def refuse_other_float(source: ConversionSource, in_float: Quality) -> None:
    """Refuse a run whose float model is worse here than its training measured.

    The gate compares forms of one network on the same pictures, and cannot see what is wrong with
    both: pictures that were exchanged, or a network or labels of another run.

    Args:
        source: Its card holds what training measured; nothing is done where it does not.
        in_float: On the held-out pictures of the same split, measured now.

    Raises:
        AccuracyLossError: With both figures, and the reason where trying finds one.
    """
    recorded = source.card.metrics.get("float")
    top1 = recorded.get("top1") if isinstance(recorded, dict) else None
    if not isinstance(top1, float) or 100 * (top1 - in_float.top1) <= _MOST_CHANGED_POINTS:
        return
    # They are the same pictures, so chance has no part in it; but one or two may flip in any set.
    if top1 * in_float.images - in_float.right <= _MOST_FLIPPED:
        return
    found = examine(source.model, source.pictures, seed=0)
    reason = found.reason or _suspect_labels(in_float)
    raise AccuracyLossError(
        f"the float model is right on {in_float.top1:.1%} of {in_float.images} held-out pictures,"
        f" {reason.problem + ';' if reason else 'and'} its training measured {top1:.1%}: it has"
        " other pictures, labels or pixel values now; no model was written",
        hint=(f"{reason.cure}; or " if reason else "")
        + "put back what it was trained with, or run 'edgecls train' again",
    )


def describe_guessing(in_float: Quality) -> str | None:
    """Say it where a float model is no better than whoever always gives the same answer.

    Nothing that is compared with it then says anything: int8 can lose nothing.

    Args:
        in_float: On the held-out pictures.
    """
    chance = float(in_float.confusion.sum(axis=1).max() / in_float.images)
    if wilson_interval(in_float.right, in_float.images)[0] > chance:
        return None
    return (
        f"the float model is right on {in_float.top1:.1%} of {in_float.images} held-out pictures,"
        f" as guessing would be ({chance:.1%}): it has learnt nothing that could be kept; train it"
        " longer or on more pictures, and read its report"
    )


@dataclass(frozen=True, slots=True)
class Examination:
    """How right a model is about some pictures, and what would make it clearly better.

    Args:
        images: How many pictures it was shown.
        right: How many it was right on.
        chance: Share that whoever always says the most frequent class is right on.
        reason: Why it is wrong; None where nothing that was tried makes it clearly better.
    """

    images: int
    right: int
    chance: float
    reason: Reason | None

    @property
    def top1(self) -> float:
        """Share of the pictures that it is right on."""
        return self.right / self.images

    @property
    def is_guessing(self) -> bool:
        """Whether it may be as right as whoever always says the same (95% interval)."""
        return wilson_interval(self.right, self.images)[0] <= self.chance


def examine(model: Any, pictures: RunPictures, seed: int) -> Examination:
    """Show a model some tens of held-out pictures as they are, and as it might expect them.

    Args:
        model: Keras, raw pixels (0-255) in, scores out.
        pictures: With held-out ones.
        seed: Of their choice.
    """
    labels = pictures.card.labels
    count = max(_EXAMINED, _ENOUGH_OF_A_CLASS * len(labels))
    chosen = choose_stratified(pictures.subsets["test"], count, seed)
    pixels = np.stack([pictures.load_image(example) for example in chosen]).astype(np.float32)
    targets = np.array([example.target for example in chosen], np.int64)
    answers = answer(model, pixels)
    return Examination(
        images=len(targets),
        right=int((answers == targets).sum()),
        chance=float(np.bincount(targets).max() / len(targets)),
        reason=_find_reason(model, labels, pixels, targets, answers),
    )


def _suspect_labels(in_float: Quality) -> Reason | None:
    """Whether a model is sure of answers that are mostly wrong: then the labels may be."""
    if in_float.calibration_error < _TOO_SURE:
        return None
    score = in_float.top1 + in_float.calibration_error
    return Reason(
        f"though it is sure of its answers (mean score {score:.0%}): the labels of the pictures"
        " seem to be shuffled",
        "check which picture lies in which folder",
    )


def _find_reason(
    model: Any, labels: Labels, pixels: Pixels, targets: Targets, answers: Targets
) -> Reason | None:
    tried = [
        (answer(model, trial.change(pixels)), trial.words, trial.cure)
        for trial in _TRIALS
        if pixels.shape[3] == 3 or trial is not _TRIALS[0]
    ]
    if moved := _try_labels(labels, answers, targets):
        tried.append(moved)
    shares = [float((trial[0] == targets).mean()) for trial in tried]
    # Of those that help alike, the first is the most usual mistake.
    helps = (
        trial for trial, share in zip(tried, shares, strict=True) if share > max(shares) - _ALIKE
    )
    other, words, cure = next(helps)
    was_right, is_right = answers == targets, other == targets
    gained, lost = int((is_right & ~was_right).sum()), int((was_right & ~is_right).sum())
    if gained <= lost or chance_of_loss(gained, lost) > _CHANCE:
        return None
    return Reason(f"but on {is_right.mean():.1%} {words}", cure)


def answer(model: Any, pixels: Pixels) -> Targets:
    """The class that the model gives to each of (N, height, width, depth): (N,)."""
    parts = []
    with quietly():
        for start in range(0, len(pixels), _BATCH):
            scores = model(pixels[start : start + _BATCH], training=False)
            parts.append(np.asarray(scores).argmax(axis=1))
    return np.concatenate(parts).astype(np.int64)


def _try_labels(
    labels: Labels, answers: Targets, targets: Targets
) -> tuple[Targets, str, str] | None:
    """Answers under other labels, where each mostly stands for one class, a different one each."""
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (targets, answers), 1)
    seen = np.flatnonzero(counts.sum(axis=1) >= _ENOUGH_OF_A_CLASS)
    mostly = counts.argmax(axis=1)
    moved = [target for target in seen.tolist() if mostly[target] != target]
    if not moved or len(set(mostly[seen].tolist())) < len(seen):
        return None
    meant = np.full(len(labels), -1, np.int64)
    meant[mostly[seen]] = seen
    words = (
        f"if its labels stood in another order: what it calls {labels[int(mostly[moved[0]])]!r} is"
        f" {labels[moved[0]]!r} in the pictures"
    )
    return meant[answers], words, "give the labels in the order of its scores: --labels FILE"
