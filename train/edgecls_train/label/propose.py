"""Pictures -> proposals: each classified once, the certain ones apart from those worth a look."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.classifier import Classifier
from edgecls.console import ShowProgress
from edgecls.contract.files import read_regular_file, write_atomically
from edgecls.contract.labels import Labels
from edgecls.contract.run import create_run
from edgecls.errors import DatasetError, FrameFailedError, InvalidValueError, PictureError
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.prepare import prepare
from edgecls.pictures.alike import THUMBNAIL, alike_pairs
from edgecls.pictures.folder import MAX_PICTURE_BYTES, find_files
from edgecls.pictures.groups import group_pairs
from edgecls.pictures.layout import list_folders
from edgecls.runtimes.failures import Failures
from edgecls_train.label.place import (
    PROPOSALS,
    Manifest,
    ProposalFolder,
    check_folder_label,
    class_root,
)
from edgecls_train.label.sheet import build_sheet
from edgecls_train.progress import no_progress

Say = Callable[[str], None]
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Guess:
    """What the model says of one picture.

    Args:
        file: Its path below FOLDER, with `/`.
        label: The best one.
        score: Its score, 0 to 1.
        second: The next best label.
        second_score: Its score.
        proposed: The label as it is proposed; empty where a person has to say.
        alike: Number of the first picture that shows the same; its own number in most cases.
    """

    file: str
    label: str
    score: float
    second: str
    second_score: float
    proposed: str = ""
    alike: int = 0

    @property
    def margin(self) -> float:
        """How far the best label is ahead: small where a person's word teaches the most."""
        return self.score - self.second_score


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """What `propose_labels` found and wrote.

    Args:
        place: Where it wrote it.
        certain: With a proposed label, the most certain first.
        uncertain: Without one, the most useful to label by hand first: the smallest margin
            (Scheffer et al. 2001), one picture of those that show the same before the others.
        unreadable: What was wrong with each picture that could not be read, or on which the model
            failed.
    """

    place: ProposalFolder
    certain: tuple[Guess, ...]
    uncertain: tuple[Guess, ...]
    unreadable: tuple[str, ...]


def propose_labels(
    classifier: Classifier,
    folder: Path,
    into: Path,
    min_score: float,
    root: Path = PROPOSALS,
    *,
    progress: ShowProgress = no_progress,
    say: Say = lambda _: None,
) -> Proposals:
    """Classify every picture below a folder and write a table and a page to review; move nothing.

    Args:
        classifier: Its labels become those of the pictures.
        folder: With pictures, at any depth.
        into: The data set that they are for; need not exist. What is in it already is left out.
        min_score: From which score on a label is proposed, 0 to 1.
        root: Where numbered folders of proposals are made.
        progress: Shows how far it is.
        say: Takes lines for people.

    Raises:
        DatasetError: No folder, no pictures in it, none that can be classified, or it is `into`.
        InvalidValueError: A score that is none.
        EngineError: The model fails on very many pictures in a row.
        EdgeclsError: The disk is full or not writable.
    """
    if not 0.0 <= min_score <= 1.0:
        raise InvalidValueError(f"--min-score is {min_score}, wanted 0 to 1")
    paths = list(_find_unlabelled(folder, into, say))
    if not paths:
        raise DatasetError(f"there are no pictures in '{folder}'", hint="give another folder")
    _tell_labels(classifier.labels, into, say)
    seen = _look_at_all(classifier, folder, paths, progress)
    if not seen.guesses:
        raise DatasetError(
            f"none of the {len(paths)} pictures in '{folder}' can be classified, the first:"
            f" {seen.unreadable[0]}"
        )
    _tell_unreadable(seen.unreadable, len(paths), say)
    certain, uncertain = _sort(_group(seen), min_score)
    place = ProposalFolder(create_run(root).path)
    proposals = Proposals(place, certain, uncertain, tuple(seen.unreadable))
    files = tuple(guess.file for guess in (*certain, *uncertain))
    manifest = Manifest(folder.resolve(), into.resolve(), files, classifier.labels.names)
    page = build_sheet(proposals, manifest.folder, into, min_score)
    write_atomically(place.review, page.encode("utf-8"))
    place.save_table([_to_row(guess) for guess in (*certain, *uncertain)])
    place.save_manifest(manifest)
    return proposals


@dataclass(slots=True, eq=False)
class _Seen:
    """What was found in the pictures so far, one entry each."""

    guesses: list[Guess]
    thumbnails: list[Frame]
    sizes: list[tuple[int, int]]
    digests: list[bytes]
    unreadable: list[str]


def _find_unlabelled(folder: Path, into: Path, say: Say) -> Iterator[Path]:
    if not os.path.isdir(folder):
        raise DatasetError(f"there is no folder '{folder}'", hint="give one with pictures in it")
    here, there = folder.resolve(), into.resolve()
    if here == there:
        raise DatasetError(
            f"'{folder}' is the folder that the pictures are to go to",
            hint="--into names the labelled data, FOLDER the pictures without labels",
        )
    if there.exists() and not there.is_dir():
        raise DatasetError(f"'{into}' is a file, wanted a folder", hint="give another --into")
    if there in here.parents:
        say(f"'{folder}' lies in '{into}': training would take it for a class; move it elsewhere")
    skipped = 0
    for path in find_files(folder):
        if there in path.resolve().parents:
            skipped += 1
        else:
            yield path
    if skipped:
        say(f"pictures in '{into}' already: {skipped}, left out")


def _look_at_all(
    classifier: Classifier, folder: Path, paths: Sequence[Path], progress: ShowProgress
) -> _Seen:
    seen = _Seen([], [], [], [], [])
    failures = Failures()
    with progress("classifying", len(paths)) as advance:
        for done, path in enumerate(paths, start=1):
            try:
                _look_at(classifier, folder, path, seen)
                failures.end()
            except (PictureError, FrameFailedError) as wrong:
                seen.unreadable.append(f"{path.relative_to(folder).as_posix()}: {wrong.problem}")
                if isinstance(wrong, FrameFailedError):
                    failures.add(wrong, classifier.model.name)
            advance(done)
    return seen


def _look_at(classifier: Classifier, folder: Path, path: Path, seen: _Seen) -> None:
    content = read_regular_file(path, MAX_PICTURE_BYTES, PictureError)
    frame = decode(content)
    scores = classifier.classify(frame).scores
    best, *others = classifier.top(scores, 2)
    second = others[0] if others else None
    seen.guesses.append(
        Guess(
            path.relative_to(folder).as_posix(),
            best.label,
            best.score,
            second.label if second else "",
            second.score if second else 0.0,
        )
    )
    seen.thumbnails.append(prepare(frame, THUMBNAIL))
    seen.sizes.append((frame.shape[0], frame.shape[1]))
    seen.digests.append(hashlib.sha256(content).digest())


def _group(seen: _Seen) -> list[Guess]:
    """The guesses, each with the number of the first picture that shows the same."""
    count = len(seen.guesses)
    first_of: dict[bytes, int] = {}
    firsts = [first_of.setdefault(digest, i) for i, digest in enumerate(seen.digests)]
    equal = [(first, i) for i, first in enumerate(firsts) if first != i]
    # Frames that are all the same pixels are copies too, whatever their files hold.
    for i, thumbnail in enumerate(seen.thumbnails):
        first = first_of.setdefault(thumbnail.tobytes(), i)
        if first != i:
            equal.append((first, i))
    repeated = {later for _, later in equal}
    rest: npt.NDArray[np.int64] = np.array([i for i in range(count) if i not in repeated], np.int64)
    near = rest[alike_pairs(np.stack(seen.thumbnails), np.array(seen.sizes, np.int32), rest)]
    pairs = np.concatenate([np.array(equal, np.int64).reshape(-1, 2), near.reshape(-1, 2)])
    groups = group_pairs(count, pairs)
    return [
        dataclasses.replace(guess, alike=int(group) + 1)
        for guess, group in zip(seen.guesses, groups, strict=True)
    ]


def _sort(
    guesses: Sequence[Guess], min_score: float
) -> tuple[tuple[Guess, ...], tuple[Guess, ...]]:
    certain, uncertain = [], []
    for guess in guesses:
        if guess.score >= min_score and _may_be_folder(guess.label):
            certain.append(dataclasses.replace(guess, proposed=guess.label))
        else:
            uncertain.append(guess)
    certain.sort(key=lambda guess: (-guess.score, guess.file))
    uncertain.sort(key=lambda guess: (guess.margin, guess.file))
    seen: set[int] = set()
    first: list[Guess] = []
    again: list[Guess] = []
    for guess in uncertain:
        (again if guess.alike in seen else first).append(guess)
        seen.add(guess.alike)
    return tuple(certain), (*first, *again)


def _to_row(guess: Guess) -> list[str]:
    return [
        guess.file,
        guess.proposed,
        guess.label,
        f"{guess.score:.4f}",
        guess.second,
        f"{guess.second_score:.4f}",
        str(guess.alike),
    ]


def _may_be_folder(label: str) -> bool:
    try:
        check_folder_label(label)
    except InvalidValueError:
        return False
    return True


def _tell_labels(labels: Labels, into: Path, say: Say) -> None:
    if labels == Labels.numbered(len(labels)):
        say(
            "the model does not name its classes: the labels are 'class 0', 'class 1', ...;"
            " --labels FILE names them"
        )
    impossible = [label for label in labels if not _may_be_folder(label)]
    if impossible:
        say(
            f"{_some(impossible)} cannot be a folder's name and is not proposed: write another"
            " label into the table"
        )
    root = class_root(into)
    existing = set(list_folders(root)) if root.is_dir() else set()
    new = [label for label in labels if label not in existing and label not in impossible]
    if existing and new:
        say(f"no folder in '{root}' yet: {_some(new)}; --apply would make it")


def _tell_unreadable(unreadable: Sequence[str], total: int, say: Say) -> None:
    for problem in unreadable[:_NAMED]:
        say(f"skipped {problem}")
    if unreadable:
        say(f"unreadable pictures skipped: {len(unreadable)} of {total}")


def _some(labels: Sequence[str]) -> str:
    named = ", ".join(repr(label) for label in labels[:_NAMED])
    more = len(labels) - _NAMED
    return named + (f" and {more} more" if more > 0 else "")
