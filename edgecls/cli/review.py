"""`edgecls review`: decide, in the browser, about pictures that were recorded or proposed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import DATA_SET, Reads, Sorts, Writes

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.collect.collection import Collection
    from edgecls.collect.gallery import Gallery
    from edgecls.review.found import Found
    from edgecls.review.groups import Group
    from edgecls.review.review import Review


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
    from edgecls.review.folder import empty_trash
    from edgecls.review.found import find_pictures

    if has_emptied:
        _print_emptied(empty_trash(folder), as_json=as_json)
        return
    found = find_pictures(folder)
    found.wrong.tell(warn)
    goal = into or found.into or Path("pictures")
    classifier = _open_model(model, labels, runtime)
    with closing(_open_set(goal, found)) as collection:
        gallery, groups, names = _look(found, classifier)
        if classifier is not None:
            names = classifier.labels.names
            classifier.close()
        from edgecls.review.review import Review

        with closing(Review(found.root, groups, collection, warn)) as opened:
            interrupts, done = _serve(opened, gallery, names, listen, host_name, token_file)
            _print_summary(opened, done, as_json=as_json)
    if interrupts.is_interrupted:
        raise typer.Exit(130)


def _open_model(path: Path | None, labels: Path | None, runtime: str) -> Classifier | None:
    if path is None:
        return None
    from edgecls.cli.options import open_classifier

    return open_classifier(path, labels, runtime, 1)


def _open_set(goal: Path, found: Found) -> Collection:
    from edgecls.collect.collection import Collection
    from edgecls.review.found import data_folder

    return Collection(data_folder(goal, found.root), quota_bytes=0, tell=warn)


def _look(
    found: Found, classifier: Classifier | None
) -> tuple[Gallery, tuple[Group, ...], tuple[str, ...]]:
    """Thumbnails, groups, and the labels that were guessed."""
    from edgecls.collect.gallery import Gallery
    from edgecls.review.groups import group_candidates
    from edgecls.review.look import MOST_AT_ONCE, labels_of, look_at_all, reader

    if len(found.names) > MOST_AT_ONCE:
        warn(f"of {len(found.names)} pictures the {MOST_AT_ONCE} least certain ones come now")
    found = found.least_certain(MOST_AT_ONCE)
    gallery = Gallery(reader(found.root))
    seen = look_at_all(found, gallery, classifier, progress)
    for problem in seen.unreadable[:3]:
        warn(f"left out: {problem}")
    if len(seen.unreadable) > 3:
        warn(f"and {len(seen.unreadable) - 3} more that cannot be read")
    return gallery, group_candidates(found.root, seen), found.labels or labels_of(seen.candidates)


def _serve(
    opened: Review,
    gallery: Gallery,
    labels: tuple[str, ...],
    listen: str,
    host_name: list[str] | None,
    token_file: Path | None,
) -> tuple[Interrupts, Mapping[str, int]]:
    from edgecls.review.app import ReviewApp

    app = ReviewApp(opened, gallery, labels)
    with (
        Interrupts() as interrupts,
        closing(open_web(app.web, listen, host_name, token_file, warn)),
    ):
        print(
            f"review: {opened.left} pictures of {printable(str(opened.root))}, on their way into"
            f" {printable(str(opened.collection.folder))}; Ctrl-C ends it",
            file=sys.stderr,
            flush=True,
        )
        interrupts.wait(lambda: False)
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
