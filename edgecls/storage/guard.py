"""The one rule of what a command may write to: nothing that it reads, nothing that others made."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from edgecls.errors import TargetError
from edgecls.storage import kinds
from edgecls.storage.targets import GUESSES, LABELLED, FileKind, FolderKind, Kind

# Bytes of a name, in the file systems of Linux and in most others.
_LONGEST: Final = 255


class Target(NamedTuple):
    """A file or folder that a command would write to.

    Args:
        option: As it is written on the command line; for errors.
        path: As the user wrote it.
        kind: What it would hold.
    """

    option: str
    path: Path
    kind: Kind

    def __str__(self) -> str:
        return f"{self.option} '{self.path}'"


class Input(NamedTuple):
    """What a command reads: an option, and the path that it names."""

    option: str
    path: Path


def check_targets(targets: Sequence[Target], inputs: Iterable[Input] = ()) -> None:
    """Refuse what must not be written to, before anything is.

    Raises:
        TargetError: One of them is read by the same command, holds what others made, or is the
            same as another one.
    """
    read = [item for item in inputs if _exists(item.path)]
    for target in targets:
        if isinstance(target.kind, FolderKind):
            _refuse_notes(target, targets)
    for number, target in enumerate(targets):
        _check_name(target)
        _refuse_input(target, read)
        _refuse_unreachable(target)
        if isinstance(target.kind, FileKind):
            check_file(target.path, target.kind, target.option)
        else:
            _check_folder(target, target.kind)
            _refuse_nested(target, target.kind, read)
        for other in targets[:number]:
            if _is_same(target.path, other.path) and not _is_stream(target.path):
                raise TargetError(
                    f"{target} and {other.option} are the same place",
                    hint=f"give each of them its own, such as {target.kind.example}",
                )


def check_file(path: Path, kind: FileKind, option: str = "") -> None:
    """Refuse to write a file over what is there, unless edgecls wrote it for the same purpose.

    Args:
        path: Need not exist.
        kind: What would be written.
        option: Which option names it, for the error.

    Raises:
        TargetError: What is there would be lost, or it is no file.
    """
    named = f"{option} '{path}'".strip()
    another = f"name another file, such as {option} {kind.example}".replace("  ", " ")
    try:
        status = os.stat(path)
    except OSError:
        if os.path.islink(path):
            raise TargetError(
                f"{named} is a link that leads nowhere", hint=f"delete the link, or {another}"
            ) from None
        return  # it will be made, or whoever makes it says why not
    except ValueError as wrong:
        raise TargetError(f"{named} is no file name: {wrong}", hint=another) from wrong
    if stat.S_ISDIR(status.st_mode):
        raise TargetError(f"{named} is a folder, wanted the name of a file", hint=another)
    if not stat.S_ISREG(status.st_mode):
        if kind.takes_streams and not stat.S_ISBLK(status.st_mode):
            return
        raise TargetError(f"{named} is a device, a pipe or a socket, wanted a file", hint=another)
    if status.st_size and (words := _stranger(path, kind)):
        if option and kind is GUESSES and words.startswith("a picture"):  # `--csv *.jpg`
            another = f"was a name forgotten? {option} {kind.example} {path}"
        raise TargetError(
            f"{named} is there already and is {words}, which would be lost", hint=another
        )


def open_stream(path: Path) -> TextIO:
    """Open a pipe or a device for writing; never waits until somebody reads it.

    Raises:
        TargetError: Nobody does.
        OSError: It cannot be opened.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as wrong:
        if wrong.errno != errno.ENXIO:
            raise
        raise TargetError(
            f"nobody reads '{path}'", hint="start the program that reads it first"
        ) from wrong
    os.set_blocking(handle, True)
    return open(handle, "a", 1, "utf-8", "backslashreplace", "")  # line by line


def _stranger(path: Path, kind: FileKind) -> str:
    """What a file is, in words, if it is not ours to write to."""
    try:
        head = kinds.read_head(path)
        with path.open("rb") as file:
            return "" if kind.is_ours(head, file) else kinds.describe(head)
    except OSError as wrong:
        return f"a file that cannot be read ({wrong.strerror})"


def _check_name(target: Target) -> None:
    text = str(target.path)
    if text.startswith("-"):
        raise TargetError(
            f"{target.option} {text!r} is no name: it begins as an option does",
            hint=f"a file of that name is ./{text}; else name one, such as {target.option}"
            f" {target.kind.example}",
        )


def _refuse_unreachable(target: Target) -> None:
    """Refuse what can never be made, before an hour of work ends there."""
    above = [target.path, *target.path.parents]
    path = next((path for path in above if os.path.lexists(path)), above[-1])
    try:
        if (
            max(len(os.fsencode(part)) for part in (target.path.name, *target.path.parts))
            > _LONGEST
        ):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        # Above it stands a folder, and no link that leads nowhere or to itself.
        if path != target.path and not stat.S_ISDIR(os.stat(path).st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if isinstance(target.kind, FileKind) and target.kind.is_result:
            os.stat(target.path.parent)
    except OSError as wrong:
        raise TargetError(
            f"{target} cannot be made: {wrong.strerror}",
            hint=f"look at '{path}', or name another place, such as"
            f" {target.option} {target.kind.example}",
        ) from wrong


def _check_folder(target: Target, kind: FolderKind) -> None:
    another = f"name a folder of its own, such as {target.option} {kind.example}"
    if os.path.islink(target.path) and not _exists(target.path):
        raise TargetError(f"{target} is a link that leads nowhere", hint=another)
    if not _exists(target.path):
        _refuse_above(target, kind, another)
        return
    if not os.path.isdir(target.path):
        raise TargetError(f"{target} is a file, wanted a folder", hint=another)
    try:
        found = kinds.kind_of_folder(target.path)
    except OSError as wrong:
        raise TargetError(f"{target} cannot be read: {wrong.strerror}", hint=another) from wrong
    if found in kind.refused:
        raise TargetError(
            f"{target} is {_IN_WORDS[found]}, and {kind.name} would be mixed into it", hint=another
        )
    _refuse_above(target, kind, another)


_IN_WORDS: Final = {
    "recording": "what 'edgecls camera --record' keeps",
    "old recording": "what 'edgecls camera --record' keeps",
    "collection": "a data set that was collected or reviewed",
    "data set": "a folder of labelled pictures",
    "pictures": "a folder of pictures that edgecls did not write",
    "run": "the folder of a run",
    "proposals": "what 'edgecls label' proposed",
    "tuning": "what 'edgecls tune' tried",
    "quarantine": "the quarantine of 'edgecls check'",
}


def _refuse_above(target: Target, kind: FolderKind, another: str) -> None:
    """Refuse a folder inside of a collection or recording: its pictures would join that one."""
    if not kind.refused & LABELLED:
        return
    for above in Path(os.path.realpath(target.path)).parents:
        if (above / kinds.LABELS_NAME).is_file() or (above / kinds.RECORDS_NAME).is_file():
            found = kinds.kind_of_folder(above)
            if found in LABELLED:
                raise TargetError(f"{target} lies in {_IN_WORDS[found]}: '{above}'", hint=another)


def _refuse_input(target: Target, inputs: Sequence[Input]) -> None:
    for item in inputs:
        if _exists(target.path) and os.path.samefile(target.path, item.path):
            raise TargetError(
                f"{target} is what {item.option} reads, and would be written over",
                hint=f"name another one, such as {target.option} {target.kind.example}",
            )


def _refuse_nested(target: Target, kind: FolderKind, inputs: Sequence[Input]) -> None:
    """Refuse a folder in the data set that is read, where its files would count as a class."""
    place = Path(os.path.realpath(target.path))
    for item in inputs:
        read = Path(os.path.realpath(item.path))
        if not read.is_dir():
            continue
        is_inside, is_around = place.is_relative_to(read), read.is_relative_to(place)
        if (kind.is_apart and (is_inside or is_around)) or (
            is_inside and "data set" in kind.refused and kinds.kind_of_folder(read) in LABELLED
        ):
            where = "is inside of" if is_inside else "holds"
            raise TargetError(
                f"{target} {where} '{item.path}', which {item.option} reads",
                hint=f"name a folder beside it, such as {target.option} {kind.example}",
            )


def _refuse_notes(folder: Target, targets: Sequence[Target]) -> None:
    """Refuse a file in a folder of the same command under a name that the folder's notes have."""
    top = Path(os.path.realpath(folder.path))
    for target in targets:
        place, name = Path(os.path.realpath(target.path)), target.path.name
        is_note = name in kinds.NOTES or name.startswith(".")
        if isinstance(target.kind, FileKind) and is_note and place.is_relative_to(top):
            raise TargetError(
                f"{target} is a name under which {folder} keeps notes of its own",
                hint=f"name another file, such as {target.option} {target.kind.example}",
            )


def _exists(path: Path) -> bool:
    try:
        os.stat(path)
    except (OSError, ValueError):
        return False
    return True


def _is_stream(path: Path) -> bool:
    return _exists(path) and not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path)


def _is_same(one: Path, other: Path) -> bool:
    if _exists(one) and _exists(other):
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)
