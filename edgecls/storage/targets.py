"""What options read and write, as they declare it themselves; the rule is in `guard`.

Every option and argument that names a file or folder carries `Reads`, `Writes` or `Sorts` beside
its help. What is there already is written over, or added to, only if edgecls wrote it for the same
option. Whoever starts a command imports this, so it imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final, NamedTuple


class FileKind(NamedTuple):
    """What an option writes into a file.

    Args:
        name: In words, with its article.
        example: A file name that is right, for hints.
        is_ours: Whether a file that is there was written for the same option: by its first bytes
            and, where they do not say it, by the rest.
        takes_streams: Whether it may be a pipe or a terminal, which nothing can be lost from.
        is_result: Whether it is written when the work is done, into a folder that must be there.
    """

    name: str
    example: str
    is_ours: Callable[[bytes, BinaryIO], bool]
    takes_streams: bool = False
    is_result: bool = False


class FolderKind(NamedTuple):
    """What an option fills a folder with.

    Args:
        name: In words, with its article.
        example: A folder name that is right, for hints.
        refused: Kinds of folders (see `kinds.kind_of_folder`) that it must not be put into.
        is_apart: Whether it must neither hold nor lie in what the command reads.
    """

    name: str
    example: str
    refused: frozenset[str]
    is_apart: bool = False


Kind = FileKind | FolderKind


class Reads:
    """Marks an option that names what a command reads.

    Args:
        what: In one word: `model`, `labels`, `pictures`, `data`, `table` ...
    """

    def __init__(self, what: str) -> None:
        self.what = what


class Writes:
    """Marks an option that names what a command writes."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind


class Sorts:
    """Marks an option that names a folder out of which files go where a person sends them."""

    def __init__(self, what: str) -> None:
        self.what = what


Mark = Reads | Writes | Sorts


def _known_by(name: str) -> Callable[[bytes, BinaryIO], bool]:
    """One of the functions of `kinds`, which is imported where there is something to look at."""

    def is_ours(head: bytes, file: BinaryIO) -> bool:
        from edgecls.storage import kinds

        found: bool = getattr(kinds, name)(head, file)
        return found

    return is_ours


_OF_COMMANDS: Final = frozenset(("run", "proposals", "tuning", "quarantine"))
_RECORDED: Final = frozenset(("recording", "old recording"))
LABELLED: Final = frozenset(("collection", "data set")) | _RECORDED

EVENTS: Final = FileKind("a file of events", "events.jsonl", _known_by("is_events"), True)
FRAMES: Final = FileKind("a table of frames", "frames.csv", _known_by("is_frame_table"))
GUESSES: Final = FileKind("a table of labels", "labels.csv", _known_by("is_guess_table"), True)
PAGE: Final = FileKind("a page", "page.html", _known_by("is_page"), is_result=True)
DRAWING: Final = FileKind("a drawing", "sheet.png", _known_by("is_drawing"), is_result=True)
MODEL: Final = FileKind(
    "a converted model", "model.tflite", _known_by("is_own_model"), is_result=True
)
TOKEN: Final = FileKind("a page's token", "token", _known_by("may_be_token"))
RECORDING: Final = FolderKind(
    "a recording", "seen", _OF_COMMANDS | LABELLED - _RECORDED | {"pictures"}, True
)
DATA_SET: Final = FolderKind("a data set", "pictures", _OF_COMMANDS | {"recording"})
RUNS: Final = FolderKind("numbered folders", "runs", _OF_COMMANDS | LABELLED)
EXPLAINED: Final = FolderKind("drawings", "explained", _OF_COMMANDS | LABELLED)
QUARANTINE: Final = FolderKind(
    "a quarantine", "removed", (_OF_COMMANDS - {"quarantine"}) | LABELLED | {"pictures"}
)
