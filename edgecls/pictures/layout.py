"""How a folder of pictures is laid out: classes at once, or train, val and test first."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.contract.run import Subset
from edgecls.errors import DatasetError

SPELLINGS: Final[dict[str, Subset]] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_ORDER: Final[tuple[Subset, ...]] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Part:
    """A folder of classes.

    Args:
        folder: Where the folders of the classes are.
        subset: What its pictures are for, None when the folder does not say.
        classes: Names of these folders, sorted.
    """

    folder: Path
    subset: Subset | None
    classes: tuple[str, ...]


def find_parts(root: Path) -> tuple[Part, ...]:
    """The parts of a data set, the training pictures first.

    A folder `train` without folders of classes in it is a class like any other.

    Raises:
        DatasetError: It cannot be read, two folders are one subset (`val` and `valid`), or other
            folders lie beside the subsets.
    """
    folders = list_folders(root)
    named = [(SPELLINGS[name.lower()], name) for name in folders if name.lower() in SPELLINGS]
    train = [name for subset, name in named if subset == "train"]
    if not any(list_folders(root / name) for name in train):
        return (Part(root, None, folders),)
    if len(named) < len(folders):
        if len(named) == 1:
            return (Part(root, None, folders),)  # `train` is a class beside `bus` and `car`
        stranger = next(name for name in folders if name.lower() not in SPELLINGS)
        raise DatasetError(
            f"'{root}' holds '{stranger}' beside {' and '.join(repr(name) for _, name in named)}",
            hint="move it elsewhere, or name it val or test",
        )
    by_subset: dict[Subset, str] = {}
    for subset, name in named:
        if subset in by_subset:
            raise DatasetError(
                f"'{root}' holds both '{by_subset[subset]}' and '{name}'",
                hint="put their pictures into one of the two",
            )
        by_subset[subset] = name
    return tuple(
        Part(root / by_subset[subset], subset, list_folders(root / by_subset[subset]))
        for subset in _ORDER
        if subset in by_subset
    )


def list_folders(root: Path) -> tuple[str, ...]:
    """Names of the folders in a folder, sorted, without the hidden ones.

    Raises:
        DatasetError: It cannot be read.
    """
    try:
        entries = list(os.scandir(root))
    except OSError as wrong:
        raise DatasetError(f"the folder '{root}' cannot be read: {wrong.strerror}") from wrong
    return tuple(sorted(e.name for e in entries if is_folder(e) and not e.name.startswith(".")))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
