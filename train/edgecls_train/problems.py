"""What can be wrong with labelled pictures, kind by kind, and what to do about it.

Blocking is what makes training impossible or its figures untrue: most pictures unreadable, a class
that cannot be split, one picture with two labels, and copies on both sides of a given split. The
rest costs accuracy at most, or is taken care of by the split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.run import Subset
from edgecls.pictures.groups import group_pairs
from edgecls_train.dataset import MIN_PICTURES_PER_CLASS
from edgecls_train.evidence import Evidence, Problem
from edgecls_train.likeness import members_of

FEW_PICTURES: Final = 20
# The smallest side that a picture of anything may have, and its share of what is usual in its set.
_LEAST_SIDE: Final = 16
_LEAST_SIDE_SHARE: Final = 0.25
_MOST_IMBALANCE: Final = 5
# Which copy stays: figures measured on the same test pictures can be compared.
_KEPT_FIRST: Final[tuple[Subset, ...]] = ("test", "val", "train")


def find_problems(evidence: Evidence) -> tuple[Problem, ...]:
    """Every problem, the blocking ones first."""
    rules = (
        _unreadable,
        _class_sizes,
        _copies,
        _bursts,
        _imbalance,
        _missing_classes,
        _small_pictures,
        _suspected_labels,
    )
    problems = [problem for rule in rules for problem in rule(evidence)]
    return tuple(sorted(problems, key=lambda problem: not problem.blocking))


def _unreadable(evidence: Evidence) -> Iterator[Problem]:
    total = len(evidence.unreadable) + len(evidence.names)
    is_most = 2 * len(evidence.unreadable) > total
    truncated = {
        name: reason
        for name, reason in evidence.unreadable.items()
        if reason.endswith("is cut off")  # as `imaging` says it of all formats
    }
    others = {name: reason for name, reason in evidence.unreadable.items() if name not in truncated}
    for kind, found, advice in (
        ("unreadable", others, "They are left out of training. Remove them or export them anew."),
        ("truncated", truncated, "Their ends are missing: copy or download them again."),
    ):
        if found:
            names = tuple(found)
            yield Problem(kind, names, is_most, advice, tuple(found.values()), names)


def _class_sizes(evidence: Evidence) -> Iterator[Problem]:
    groups = evidence.likeness.groups
    for target, label in enumerate(evidence.labels):
        members = np.flatnonzero(evidence.targets == target).tolist()
        different = len(np.unique(groups[members]))
        if different < MIN_PICTURES_PER_CLASS:
            yield Problem(
                "too-few-pictures",
                _names(evidence, members),
                True,
                f"Class '{label}' has {len(members)} readable pictures, {different} of them"
                f" different. At least {MIN_PICTURES_PER_CLASS} are needed: to train, to validate"
                " and to test.",
            )
        elif len(members) < FEW_PICTURES:
            yield Problem(
                "too-few-pictures",
                (),
                False,
                f"Class '{label}' has {len(members)} pictures; {FEW_PICTURES} are a start, 100 are"
                " better.",
            )


def _copies(evidence: Evidence) -> Iterator[Problem]:
    likeness = evidence.likeness
    exact = {tuple(members) for members in _groups(evidence, likeness.exact)}
    both = np.concatenate([likeness.exact, likeness.near])
    in_bursts = {i for members in _groups(evidence, likeness.burst) for i in members}
    for members in _groups(evidence, both):
        is_exact = tuple(members) in exact
        if len(set(evidence.targets[members].tolist())) > 1:
            yield _across_classes(evidence, members, is_exact=is_exact)
        elif evidence.subsets and len({evidence.subsets[i] for i in members}) > 1:
            yield _across_subsets(evidence, members, is_exact=is_exact)
        elif is_exact or not in_bursts.issuperset(members):
            yield _within_class(evidence, members, is_exact=is_exact)


def _across_classes(evidence: Evidence, members: list[int], *, is_exact: bool) -> Problem:
    labels = " and ".join(sorted({f"'{evidence.label(i)}'" for i in members}))
    names = _names(evidence, members)
    return Problem(
        "duplicates-across-classes" if is_exact else "near-duplicates-across-classes",
        names,
        is_exact,
        f"The same picture is labelled {labels}: at most one of them is right. Remove the others."
        if is_exact
        else f"Nearly the same picture is labelled {labels}. Look whether one of them is wrong.",
        tuple(evidence.label(i) for i in members),
        names if is_exact else (),
    )


def _across_subsets(evidence: Evidence, members: list[int], *, is_exact: bool) -> Problem:
    subsets = [evidence.subsets[i] for i in members] if evidence.subsets else []
    kept = next(subset for subset in _KEPT_FIRST if subset in subsets)
    spare = [i for i, subset in zip(members, subsets, strict=True) if subset != kept]
    alike = "the same picture" if is_exact else "nearly the same picture"
    return Problem(
        "duplicates-across-splits",
        _names(evidence, members),
        True,
        f"They are {alike}: what is measured on it is known from training. Keep it in"
        f" '{kept}' alone.",
        tuple(subsets),
        _names(evidence, spare),
    )


def _within_class(evidence: Evidence, members: list[int], *, is_exact: bool) -> Problem:
    # The largest says most; of equal ones, the first.
    areas = evidence.sizes[members].astype(np.int64).prod(axis=1)
    kept = members[int(np.argmax(areas))]
    return Problem(
        "exact-duplicates" if is_exact else "near-duplicates",
        _names(evidence, members),
        False,
        f"One of them is enough ('{evidence.names[kept]}'). The split keeps them together.",
        spare=_names(evidence, [i for i in members if i != kept]),
    )


def _bursts(evidence: Evidence) -> Iterator[Problem]:
    for members in _groups(evidence, evidence.likeness.burst):
        names = _names(evidence, members)
        subsets = {evidence.subsets[i] for i in members} if evidence.subsets else set()
        if len(subsets) > 1:
            yield Problem(
                "burst-across-splits",
                names,
                True,
                "Frames of one scene are both trained on and measured on. Keep each burst in one"
                " subset.",
            )
        else:
            yield Problem(
                "burst",
                names,
                False,
                f"{len(members)} nearly equal frames in a row teach little more than one. The split"
                " keeps them together; pictures of other moments would help.",
            )


def _imbalance(evidence: Evidence) -> Iterator[Problem]:
    counts = np.bincount(evidence.targets, minlength=len(evidence.labels))
    least, most = int(counts.argmin()), int(counts.argmax())
    if counts[most] > _MOST_IMBALANCE * max(1, counts[least]):
        yield Problem(
            "imbalance",
            (),
            False,
            f"Class '{evidence.labels[most]}' has {counts[most]} pictures and"
            f" '{evidence.labels[least]}' {counts[least]}. Add pictures to the small classes, or"
            ' train with balanced classes (balance = "weights" in the recipe\'s [loss]).',
        )


def _missing_classes(evidence: Evidence) -> Iterator[Problem]:
    if not evidence.subsets:
        return
    subsets = np.array(evidence.subsets)
    for subset in np.unique(subsets).tolist():
        counts = np.bincount(evidence.targets[subsets == subset], minlength=len(evidence.labels))
        missing = [f"'{evidence.labels[i]}'" for i in np.flatnonzero(counts == 0).tolist()]
        if missing:
            yield Problem(
                "missing-class",
                (),
                subset == "train",
                f"'{subset}' has no pictures of {', '.join(missing)}.",
            )


def _small_pictures(evidence: Evidence) -> Iterator[Problem]:
    if not len(evidence.sizes):
        return
    sides = evidence.sizes.min(axis=1)
    least = max(_LEAST_SIDE, round(_LEAST_SIDE_SHARE * float(np.median(sides))))
    small = np.flatnonzero(sides < least).tolist()
    if small:
        names = _names(evidence, small)
        sizes = tuple(f"{width}x{height}" for height, width in evidence.sizes[small].tolist())
        yield Problem(
            "too-small",
            names,
            False,
            f"Their shorter side is below {least} pixels, a quarter of what is usual here or too"
            " little to see anything. Replace them.",
            sizes,
            names,
        )


def _suspected_labels(evidence: Evidence) -> Iterator[Problem]:
    by_pair: dict[tuple[str, str], list[int]] = {}
    with_two = {  # which is said already
        i
        for members in _groups(evidence, evidence.likeness.exact)
        if len({evidence.label(i) for i in members}) > 1
        for i in members
    }
    for suspect in evidence.suspects:
        if suspect.position in with_two:
            continue
        pair = (evidence.label(suspect.position), evidence.labels[suspect.suggested])
        by_pair.setdefault(pair, []).append(suspect.position)
    for (given, suggested), positions in by_pair.items():
        yield Problem(
            "suspected-labels",
            _names(evidence, positions),
            False,
            f"Labelled '{given}', but they look like '{suggested}'. Look at them; move those that"
            " are wrong. A quarantine leaves them.",
            (suggested,) * len(positions),
        )


def _groups(evidence: Evidence, pairs: npt.NDArray[np.int64]) -> list[list[int]]:
    return members_of(group_pairs(len(evidence.names), pairs))


def _names(evidence: Evidence, positions: Sequence[int]) -> tuple[str, ...]:
    return tuple(evidence.names[i] for i in positions)
