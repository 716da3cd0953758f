"""A folder of pictures: one folder a class, or any files to classify."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from edgecls.contract.files import read_regular_file
from edgecls.contract.labels import Labels, find_lookalike
from edgecls.contract.run import Subset
from edgecls.errors import DatasetError, InvalidValueError, PictureError
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.opencv import MEMORY_BYTES
from edgecls.pictures.layout import Part, find_parts, is_folder

# A file is read as a whole before it is looked at.
MAX_PICTURE_BYTES: Final = min(256 << 20, MEMORY_BYTES // 8)
# What people and systems put beside pictures; everything else is looked at by content.
_SIDECARS: Final = frozenset(
    ".txt .csv .tsv .json .jsonl .xml .yaml .yml .toml .md .html .py .ini .log .db .npz"
    " .npy .tflite .keras".split()
)


class FolderPictures:
    """Pictures in `root/<label>/**` or `root/<subset>/<label>/**`, labels in alphabetical order.

    Args:
        root: A folder. Where it holds a folder `train` (or `training`) and beside it at most
            `val` (`valid`, `validation`) and `test` (`testing`), these are the subsets.

    Raises:
        DatasetError: No folder, fewer than two classes, no pictures, or a folder whose name no
            label may have.
    """

    def __init__(self, root: Path) -> None:
        if not os.path.isdir(root):  # unlike `Path.is_dir`, False also for impossible names
            raise DatasetError(
                f"there is no folder '{root}'",
                hint="give a folder that holds one folder of pictures for each class",
            )
        self.root = root.resolve()
        self.origin = str(self.root)
        parts = find_parts(self.root)
        self.labels = _to_labels(root, parts)
        names: list[str] = []
        targets: list[int] = []
        subsets: list[Subset] = []
        for part in parts:
            for label in part.classes:
                found = _list_pictures(self.root, part.folder / label)
                names += found
                targets += [self.labels.names.index(label)] * len(found)
                subsets += [part.subset or "train"] * len(found)
        self.names = tuple(names)
        self.targets = np.array(targets, np.int64)
        is_given = any(part.subset for part in parts)
        self.given_subsets: tuple[Subset, ...] | None = tuple(subsets) if is_given else None

    def __len__(self) -> int:
        return len(self.names)

    def load_frame(self, index: int) -> Frame:
        """Decode picture `index`."""
        return read_picture(self.find_file(index))

    def load_bytes(self, index: int) -> bytes:
        """The file's bytes."""
        return read_regular_file(self.find_file(index), MAX_PICTURE_BYTES, PictureError)

    def find_file(self, index: int) -> Path:
        """The file of picture `index`."""
        return self.root / self.names[index]


def read_picture(path: Path) -> Frame:
    """Read and decode one file, whatever it is; never hangs, never crashes.

    Returns:
        uint8 RGB, (height, width, 3), upright.

    Raises:
        PictureError: Not a readable picture; the message names the file and says why.
    """
    content = read_regular_file(path, MAX_PICTURE_BYTES, PictureError)
    try:
        return decode(content)
    except PictureError as wrong:
        raise PictureError(f"{str(path)!r}: {wrong.problem}", hint=wrong.hint) from wrong


def find_files(root: Path) -> Iterator[Path]:
    """Every file below a folder that may be a picture, sorted within each folder.

    Hidden files, known text files, pipes, sockets and devices are left out; links are followed,
    loops are not. A link to nowhere is a picture that is missing, so it is given, not hidden.
    """
    seen: set[tuple[int, int]] = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            status = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name, reverse=True)
        except OSError:
            continue  # vanished, a loop of links, or not ours to read
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        # Taken off one by one: an entry that was looked at has grown, and there may be 100,000.
        while entries:
            entry = entries.pop()
            if entry.name.startswith("."):
                continue
            if is_folder(entry):
                pending.append(Path(entry.path))
            elif may_be_picture(entry):
                yield Path(entry.path)


def find_pictures(paths: Iterable[Path]) -> Iterator[Path]:
    """The given files, and every picture below the given folders, in order."""
    for path in paths:
        if os.path.isdir(path):
            yield from find_files(path)
        else:
            yield path


def _to_labels(root: Path, parts: tuple[Part, ...]) -> Labels:
    """The classes of the training pictures; the other parts may lack some, and have no others."""
    classes = parts[0].classes
    if len(classes) < 2:
        found = f"only the class '{classes[0]}'" if classes else "no folders of classes"
        raise DatasetError(
            f"'{root}' holds {found}, wanted at least two",
            hint="sort the pictures into one folder a class: DATA/cat/*.jpg, DATA/dog/*.jpg",
        )
    for part in parts[1:]:
        strangers = sorted(set(part.classes) - set(classes))
        if strangers:
            raise DatasetError(
                f"the class '{strangers[0]}' is in '{part.folder}' and not in '{parts[0].folder}'",
                hint="give it pictures to train with, or remove that folder",
            )
    lookalike = find_lookalike(classes)
    if lookalike is not None:
        raise DatasetError(
            f"the classes '{lookalike[0]}' and '{lookalike[1]}' in '{root}' differ in case or in"
            " invisible marks only",
            hint="put their pictures into one folder, or rename one of the two",
        )
    try:
        return Labels(classes)
    except InvalidValueError as wrong:
        raise DatasetError(
            f"a folder in '{root}' cannot be a class: {wrong.problem}",
            hint="rename that folder",
        ) from wrong


def _list_pictures(root: Path, folder: Path) -> list[str]:
    names = sorted(path.relative_to(root).as_posix() for path in find_files(folder))
    if not names:
        raise DatasetError(
            f"class '{folder.name}' in '{folder.parent}' has no pictures",
            hint="put pictures into that folder or remove it",
        )
    return names


def is_sidecar(name: str) -> bool:
    """Whether a file is of a kind that lies beside pictures, by its name."""
    return os.path.splitext(name)[1].lower() in _SIDECARS


def may_be_picture(entry: os.DirEntry[str]) -> bool:
    """Whether a file, or a link to nowhere, is looked at; only its content says what it is."""
    if is_sidecar(entry.name):
        return False
    try:
        return entry.is_file() or not os.path.exists(entry.path)
    except OSError:  # a link to itself
        return True
