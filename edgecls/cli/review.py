"""`edgecls review`: decide, in the browser, about pictures that were recorded or proposed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from edgecls.cli.interrupts import Interrupts
from edgecls.cli.options import JsonOption, LabelsOption, RuntimeOption
from edgecls.cli.web import (
    HostNameOption,
    ListenOption,
    TokenFileOption,
    open_web,
    warn,
)
from edgecls.console import json_line, printable
from edgecls.storage.targets import DATA_SET, Reads, Sorts, Writes

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.collect.collection import Collection
    from edgecls.review.desk import Desk
    from edgecls.review.found import Opened
    from edgecls.review.review import Review

# A small folder is ready by then, and its page need not say how far it is.
_AT_ONCE_S: Final = 0.3


def review(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder of 'camera --record', of 'label' (runs/label/1), or of any pictures.",
            metavar="DIR",
        ),
        Sorts("pictures"),
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            help="The data set that accepted pictures join; 'pictures', or the one that was named"
            " when they were proposed.",
        ),
        Writes(DATA_SET),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="Ask this model now, and not whoever recorded them."),
        Reads("model"),
    ] = None,
    labels: LabelsOption = None,
    runtime: RuntimeOption = "auto",
    listen: ListenOption = "127.0.0.1:8080",
    host_name: HostNameOption = None,
    token_file: TokenFileOption = None,
    has_emptied: Annotated[
        bool,
        typer.Option(
            "--empty-trash", help="Delete for good what was decided about before, and end."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Go through recorded pictures, the least certain first: accept, relabel or reject.

    \b
    edgecls camera --model model.tflite --record seen
    edgecls review seen --into pictures
    edgecls review seen --into pictures --model better.tflite
    edgecls review runs/label/1
    edgecls train pictures
    """
    from edgecls.review.desk import Desk
    from edgecls.review.folder import empty_trash
    from edgecls.review.found import open_folder
    from edgecls.review.review import Review

    if has_emptied:
        _print_emptied(empty_trash(folder), as_json=as_json)
        return
    opened = open_folder(folder)
    goal = into or opened.into or Path("pictures")
    classifier = _open_model(model, labels, runtime)
    with (
        closing(_open_set(goal, opened)) as collection,
        closing(Review(opened.root, (), collection, warn)) as found,
        closing(Desk(opened, found, classifier, warn)) as desk,
    ):
        interrupts, done = _serve(desk, listen, host_name, token_file)
        _print_summary(found, done, as_json=as_json)
    if interrupts.is_interrupted:
        raise typer.Exit(130)


def _open_model(path: Path | None, labels: Path | None, runtime: str) -> Classifier | None:
    if path is None:
        return None
    from edgecls.cli.options import open_classifier

    return open_classifier(path, labels, runtime, 1)


def _open_set(goal: Path, opened: Opened) -> Collection:
    from edgecls.collect.collection import Collection
    from edgecls.review.found import data_folder

    folder = data_folder(goal, opened.root)
    return Collection(folder, quota_bytes=0, tell=warn, is_read_later=True)


def _serve(
    desk: Desk, listen: str, host_name: list[str] | None, token_file: Path | None
) -> tuple[Interrupts, Mapping[str, int]]:
    """Until a signal comes, or one of the folders cannot be read."""
    from edgecls.review.app import ReviewApp

    app = ReviewApp(desk)
    collection = desk.review.collection
    desk.start()
    desk.wait_until_ready(_AT_ONCE_S)
    with (
        Interrupts() as interrupts,
        closing(open_web(app.web, listen, host_name, token_file, warn)),
    ):
        print(
            f"review: the pictures of {printable(str(desk.review.root))}, on their way into"
            f" {printable(str(collection.folder))}; Ctrl-C ends it",
            file=sys.stderr,
            flush=True,
        )
        interrupts.wait(lambda: desk.failure is not None or collection.failure is not None)
    failure = desk.failure or collection.failure
    if failure is not None:
        raise failure
    return interrupts, app.done


def _print_emptied(deleted: int, *, as_json: bool) -> None:
    print(json_line({"deleted": deleted}) if as_json else f"deleted {deleted} pictures")


def _print_summary(opened: Review, done: Mapping[str, int], *, as_json: bool) -> None:
    counts = {kind: max(0, done.get(kind, 0)) for kind in ("accept", "relabel", "reject")}
    if as_json:
        summary = {
            "event": "summary",
            "folder": str(opened.root),
            "into": str(opened.collection.folder),
            "accepted": counts["accept"],
            "relabelled": counts["relabel"],
            "rejected": counts["reject"],
            "left": opened.left,
        }
        print(json_line(summary))
        return
    print(
        f"accepted {counts['accept']}, relabelled {counts['relabel']}, rejected"
        f" {counts['reject']}, {opened.left} left"
    )
    if counts["accept"] + counts["relabel"]:
        print(f"next: edgecls train {printable(str(opened.collection.folder))}")
