"""The command `edgecls label`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import DATA_SET, RUNS, Reads, Sorts, Writes

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls_train.label import Guess, ProposalFolder, Proposals

_SHOWN: Final = 10
_MAX_LABELS_BYTES: Final = 4 << 20


def label(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]",
            help="Pictures without labels. With --apply and --undo: proposals, such as"
            " runs/label/1; the latest by default.",
        ),
        Sorts("pictures"),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="The model file (.tflite)."),
        Reads("model"),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="The labelled pictures: DATA/cat/*.jpg; may be new."),
        Writes(DATA_SET),
    ] = None,
    min_score: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="From which score on a label is proposed, 0 to 1."),
    ] = 0.9,
    labels: Annotated[
        Path | None,
        typer.Option(help="Label file, for a model that carries none: one name a line."),
        Reads("labels"),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Move the pictures as proposals.csv says now.")
    ] = False,
    copy: Annotated[
        bool, typer.Option("--copy", help="With --apply: leave the pictures where they are, too.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what --apply did.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where numbered folders of proposals are made.",
            show_default="runs/label",
        ),
        Writes(RUNS),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the summary.")
    ] = False,
) -> None:
    """Propose labels for pictures, have them reviewed, and sort the pictures by them.

    Writes runs/label/1 and so on: review.html shows every picture with its proposed label, the most
    certain first, and those that would be the most useful to label by hand; proposals.csv is the
    same as a table. Nothing is moved before --apply, which obeys the table as you have left it:
    change a label, empty it or delete a line, and write labels for the uncertain ones.

    \b
    Examples:
      edgecls label --model model.tflite new/ --into photos --min-score 0.9
      edgecls label --apply
      edgecls label --undo
    """
    from edgecls_train.label import PROPOSALS

    root = PROPOSALS if out is None else out
    _refuse_mixed(folder, model, into, apply=apply, undo=undo, copy=copy)
    if apply:
        _apply(_find(folder, root), copy=copy, as_json=as_json)
    elif undo:
        _undo(_find(folder, root), as_json=as_json)
    elif folder is not None and model is not None and into is not None:
        _propose(folder, model, into, min_score, labels, root, as_json=as_json)


def _refuse_mixed(
    folder: Path | None,
    model: Path | None,
    into: Path | None,
    *,
    apply: bool,
    undo: bool,
    copy: bool,
) -> None:
    if apply and undo:
        raise typer.BadParameter("--apply and --undo: which of the two?")
    if copy and not apply:
        raise typer.BadParameter("--copy goes with --apply")
    if (apply or undo) and (model or into):
        raise typer.BadParameter(
            "--apply and --undo take what was proposed: leave --model and --into out"
        )
    if not apply and not undo and not (folder and model and into):
        raise typer.BadParameter("FOLDER, --model and --into are needed, or --apply or --undo")


def _propose(
    folder: Path,
    model: Path,
    into: Path,
    min_score: float,
    labels: Path | None,
    root: Path,
    *,
    as_json: bool,
) -> None:
    from edgecls_train.label import propose_labels

    classifier = _open_classifier(model, labels)
    try:
        found = propose_labels(
            classifier, folder, into, min_score, root, progress=progress, say=_say
        )
    finally:
        classifier.close()
    if as_json:
        print(json_line(_to_json(found)))
    else:
        _print_proposals(found, root)


def _open_classifier(model: Path, labels: Path | None) -> Classifier:
    from edgecls.classifier import Classifier
    from edgecls.contract.files import read_regular_file
    from edgecls.contract.labels import Labels
    from edgecls.errors import InvalidValueError

    names = None
    if labels is not None:
        names = Labels.from_text(read_regular_file(labels, _MAX_LABELS_BYTES, InvalidValueError))
    classifier = Classifier.open(model, labels=names)
    for assumption in classifier.model.assumptions:
        _say(f"{classifier.model.name} carries no card; assumed: {assumption}")
    return classifier


def _find(folder: Path | None, root: Path) -> ProposalFolder:
    from edgecls_train.label import ProposalFolder, find_latest_proposals

    return find_latest_proposals(root) if folder is None else ProposalFolder(folder)


def _apply(place: ProposalFolder, *, copy: bool, as_json: bool) -> None:
    from edgecls_train.label import apply_proposals

    done = apply_proposals(place, is_copy=copy, progress=progress, say=_say)
    total = sum(done.counts.values())
    if as_json:
        print(
            json_line(
                {
                    "proposals": str(place.path),
                    "into": str(done.root),
                    "copied" if copy else "moved": total,
                    "per_label": done.counts,
                    "already": done.already,
                    "missing": list(done.missing),
                }
            )
        )
        return
    for name, count in sorted(done.counts.items()):
        print(f"{printable(name):<20} {count}")
    if done.already:
        print(f"there already        {done.already}")
    for file in done.missing:
        _say(f"no longer there: {file}")
    print(f"{'copied' if copy else 'moved'} {total} pictures into {printable(str(done.root))}")
    print(f"take it back with: edgecls label --undo {printable(str(place.path))}")


def _undo(place: ProposalFolder, *, as_json: bool) -> None:
    from edgecls_train.label import undo_proposals

    done = undo_proposals(place, progress=progress)
    if as_json:
        print(
            json_line(
                {"proposals": str(place.path), "undone": done.pictures, "left": list(done.left)}
            )
        )
    else:
        print(f"took back {done.pictures} pictures")
        for line in done.left:
            _say(line)
    if done.left:
        raise typer.Exit(1)


def _to_json(found: Proposals) -> dict[str, Any]:
    def show(guess: Guess) -> dict[str, Any]:
        return {
            "file": guess.file,
            "label": guess.proposed or None,
            "predictions": [
                {"label": name, "score": round(score, 6)}
                for name, score in (
                    (guess.label, guess.score),
                    (guess.second, guess.second_score),
                )
                if name
            ],
            "alike": guess.alike,
        }

    return {
        "proposals": str(found.place.path),
        "table": str(found.place.table),
        "review": str(found.place.review),
        "certain": [show(guess) for guess in found.certain],
        "uncertain": [show(guess) for guess in found.uncertain],
        "unreadable": list(found.unreadable),
    }


def _print_proposals(found: Proposals, root: Path) -> None:
    from edgecls_train.label import PROPOSALS

    certain, uncertain = len(found.certain), len(found.uncertain)
    print(f"proposed       {certain} of {certain + uncertain} pictures")
    if found.uncertain:
        print(f"uncertain      {uncertain}; the most useful to label by hand:")
    for guess in found.uncertain[:_SHOWN]:
        second = f", {printable(guess.second)} {guess.second_score:.1%}" if guess.second else ""
        best = f"{printable(guess.label)} {guess.score:.1%}"
        print(f"  {printable(guess.file)}: {best}{second}")
    command = "edgecls label --apply"
    if root != PROPOSALS:
        command += f" {found.place.path}"
    print(
        f"review         {found.place.review}\n"
        f"table          {found.place.table}: change a label, empty it or delete the line\n"
        f"next           {printable(command)}"
    )


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)
