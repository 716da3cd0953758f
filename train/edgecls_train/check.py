"""Look at labelled pictures before training on them: what is wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecls.console import ShowProgress
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import NotInstalledError
from edgecls.pictures import PictureSet
from edgecls_train.evidence import Evidence, Problem
from edgecls_train.likeness import Likeness, find_likeness
from edgecls_train.problems import find_problems
from edgecls_train.progress import no_progress
from edgecls_train.reading import Reading, read_pictures
from edgecls_train.suspects import Suspect, find_suspects

# Enough to tell classes apart, and a third of the work of the network's own 224.
_FEATURE_IMAGE: Final = Preprocessing(size=(128, 128), crop="pad")


@dataclass(frozen=True, slots=True)
class Checkup:
    """What a check found.

    Args:
        images: Pictures in the set, readable or not.
        classes: Label -> pictures, readable or not.
        problems: The blocking ones first.
        notes: What was not looked at, and why.
    """

    images: int
    classes: dict[str, int]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_blocked(self) -> bool:
        """Whether any problem is blocking."""
        return any(problem.blocking for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """As `edgecls check --json` prints it."""
        return {
            "images": self.images,
            "classes": self.classes,
            "problems": [problem.to_json() for problem in self.problems],
            "notes": list(self.notes),
        }


def check_pictures(
    pictures: PictureSet, *, with_suspects: bool = True, progress: ShowProgress = no_progress
) -> Checkup:
    """Look for everything that is wrong with a set.

    Args:
        pictures: The set.
        with_suspects: Whether to look for suspected wrong labels: some milliseconds a picture.
        progress: Shows how far it is.

    Raises:
        EdgeclsError: The cache cannot be written.
    """
    reading = read_pictures(pictures, _FEATURE_IMAGE if with_suspects else None, progress=progress)
    likeness = find_likeness(pictures, reading, progress=progress)
    suspects: list[Suspect] = []
    notes: tuple[str, ...] = ()
    if with_suspects:
        try:
            suspects = _find_suspects(pictures, reading, likeness, progress)
        except NotInstalledError as missing:
            notes = (f"wrong labels were not looked for: {missing.problem} ({missing.hint})",)
    counts = np.bincount(pictures.targets, minlength=len(pictures.labels))
    return Checkup(
        images=len(pictures),
        classes=dict(zip(pictures.labels, counts.tolist(), strict=True)),
        problems=find_problems(_gather(pictures, reading, likeness, suspects)),
        notes=notes,
    )


def _gather(
    pictures: PictureSet, reading: Reading, likeness: Likeness, suspects: list[Suspect]
) -> Evidence:
    readable = reading.readable.tolist()
    given = pictures.given_subsets
    return Evidence(
        labels=pictures.labels,
        unreadable={pictures.names[index]: why for index, why in reading.unreadable.items()},
        names=[pictures.names[index] for index in readable],
        targets=pictures.targets[reading.readable],
        sizes=reading.sizes,
        subsets=None if given is None else [given[index] for index in readable],
        likeness=likeness,
        suspects=suspects,
    )


def _find_suspects(
    pictures: PictureSet, reading: Reading, likeness: Likeness, progress: ShowProgress
) -> list[Suspect]:
    if reading.images is None:
        return []
    from edgecls_train.features import extract_features  # TensorFlow: seconds to import

    features = extract_features(reading.images, progress)
    return find_suspects(features, pictures.targets[reading.readable], likeness.groups)
