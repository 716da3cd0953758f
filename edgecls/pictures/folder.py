"""A folder of pictures: one folder a class, or any files to classify."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from edgecls.contract.files import read_regular_file
from edgecls.contract.labels import Labels
from edgecls.errors import DatasetError, PictureError
from edgecls.imaging.decode import Frame, decode

MAX_PICTURE_BYTES: Final = 256 << 20
# What people and systems put beside pictures; everything else is looked at by content.
_SIDECARS: Final = frozenset(
    ".txt .csv .tsv .json .jsonl .xml .yaml .yml .toml .md .html .py .ini .log .db .npz"
    " .npy .tflite .keras".split()
)


class FolderPictures:
    """Pictures in `root/<label>/**`, labels in alphabetical order.

    Raises:
        DatasetError: No folder, fewer than two classes, or no pictures.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DatasetError(
                f"there is no folder '{root}'",
                hint="give a folder that holds one folder of pictures for each class",
            )
        self.root = root.resolve()
        self.origin = str(self.root)
        classes = sorted(
            entry.name
            for entry in os.scandir(self.root)
            if entry.is_dir() and not entry.name.startswith(".")
        )
        if len(classes) < 2:
            found = f"only the class '{classes[0]}'" if classes else "no folders of classes"
            raise DatasetError(
                f"'{root}' holds {found}, wanted at least two",
                hint="sort the pictures into one folder a class: DATA/cat/*.jpg, DATA/dog/*.jpg",
            )
        self.labels = Labels(tuple(classes))
        names: list[str] = []
        targets: list[int] = []
        for target, label in enumerate(classes):
            found_here = sorted(
                path.relative_to(self.root).as_posix() for path in find_files(self.root / label)
            )
            if not found_here:
                raise DatasetError(
                    f"class '{label}' in '{root}' has no pictures",
                    hint="put pictures into that folder or remove it",
                )
            names += found_here
            targets += [target] * len(found_here)
        self.names = tuple(names)
        self.targets = np.array(targets, np.int64)

    def __len__(self) -> int:
        return len(self.names)

    def load_frame(self, index: int) -> Frame:
        """Decode picture `index`."""
        return read_picture(self.root / self.names[index])

    def load_bytes(self, index: int) -> bytes:
        """The file's bytes."""
        return read_regular_file(self.root / self.names[index], MAX_PICTURE_BYTES, PictureError)


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

    Hidden files and known text files are left out; links are followed, loops are not.
    """
    seen: set[tuple[int, int]] = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            status = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue  # vanished, a loop of links, or not ours to read
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                pending.append(Path(entry.path))
            elif Path(entry.name).suffix.lower() not in _SIDECARS:
                yield Path(entry.path)


def find_pictures(paths: list[Path]) -> Iterator[Path]:
    """The given files, and every picture below the given folders, in order."""
    for path in paths:
        if path.is_dir():
            yield from find_files(path)
        else:
            yield path
