"""What is known of labelled pictures, and what is found to be wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls.contract.run import Subset
from edgecls_train.likeness import Likeness
from edgecls_train.suspects import Suspect


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with some pictures.

    Args:
        kind: Words joined by hyphens, the same for ever.
        files: Names of the pictures, in their set.
        blocking: Whether training would be impossible or its figures untrue.
        advice: What it means and what to do, in a sentence or two.
        notes: To each file: why it cannot be read, its label, the label it looks like.
        spare: Those of the files that a quarantine takes.
    """

    kind: str
    files: tuple[str, ...]
    blocking: bool
    advice: str
    notes: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `edgecls check --json` prints it."""
        return {
            "kind": self.kind,
            "files": list(self.files),
            "blocking": self.blocking,
            "advice": self.advice,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known of a set: of all its pictures, and of the readable ones by position among them.

    Args:
        labels: The classes.
        unreadable: Name -> what is wrong.
        names: Of the readable pictures.
        targets: (n,), class indices.
        sizes: (n, 2), height and width.
        subsets: What each is for, if the set says so.
        likeness: Which show the same.
        suspects: Which labels are probably wrong.
    """

    labels: Labels
    unreadable: dict[str, str]
    names: Sequence[str]
    targets: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int32]
    subsets: Sequence[Subset] | None
    likeness: Likeness
    suspects: Sequence[Suspect] = ()

    def label(self, position: int) -> str:
        """Of a readable picture."""
        return self.labels[int(self.targets[position])]
