"""The command `edgecls check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import PAGE, QUARANTINE, Reads, Writes

if TYPE_CHECKING:
    from edgecls_train.check import Checkup
    from edgecls_train.evidence import Problem

_NAMED_FILES = 3
_NAMED_CLASSES = 20
_SHOWN_ALIKE = 3
_MOST_ADVICE = 500


def check(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder with one folder of pictures a class (or such folders in train, val and"
            " test), a .csv of path,label[,subset], 'digits' or 'fashion-mnist'.",
            show_default=False,
        ),
        Reads("data"),
    ],
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page that shows the pictures."),
        Writes(PAGE),
    ] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Move unreadable, small and surplus pictures there, under the same names.",
        ),
        Writes(QUARANTINE),
    ] = None,
    suspects: Annotated[
        bool,
        typer.Option(
            "--suspects/--no-suspects",
            help="Look for probably wrong labels, too (some milliseconds a picture).",
        ),
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table.")
    ] = False,
) -> None:
    """Look for problems in labelled pictures: unreadable, repeated, leaking, mislabelled, too few.

    Exits with 1 if a problem is blocking: training would be impossible, or its figures untrue.
    A quarantine moves files and never deletes or overwrites one; moves.csv there records each.

    \b
    Examples:
      edgecls check photos
      edgecls check photos --html check.html
      edgecls check photos --quarantine removed
    """
    from edgecls.contract.files import write_atomically
    from edgecls.pictures import open_pictures
    from edgecls_train.check import check_pictures
    from edgecls_train.quarantine import move_files, plan_moves

    pictures = open_pictures(data)
    checkup = check_pictures(pictures, with_suspects=suspects, progress=progress)
    moves = plan_moves(pictures, checkup.problems, quarantine) if quarantine else ()
    if html:
        from edgecls_train.check_page import build_check_page

        write_atomically(html, build_check_page(pictures, checkup).encode())
    if as_json:
        print(json_line(checkup.to_json()))
    else:
        _print_table(checkup)
    for note in checkup.notes:
        _say(f"note: {note}")
    if html:
        _say(f"page: {html}")
    if quarantine:
        move_files(moves, quarantine)
        _say(f"moved {len(moves)} of {checkup.images} files to {quarantine}")
        if moves and Path(pictures.origin).is_file():
            _say(f"{data} still lists them: remove their lines, or they count as unreadable")
    if checkup.is_blocked:
        raise typer.Exit(1)


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)


def _print_table(checkup: Checkup) -> None:
    print(f"{checkup.images} pictures of {len(checkup.classes)} classes")
    if len(checkup.classes) <= _NAMED_CLASSES:
        for label, count in checkup.classes.items():
            print(f"  {printable(label):<30} {count:>7}")
    if not checkup.problems:
        print("no problems found")
        return
    print(f"\n{'problem':<32} {'files':>7}  blocking")
    groups: dict[tuple[str, bool], list[Problem]] = {}
    for problem in checkup.problems:
        groups.setdefault((problem.kind, problem.blocking), []).append(problem)
    for alike in groups.values():
        if len(alike) <= _SHOWN_ALIKE:
            for problem in alike:
                _print_problem(problem)
        else:
            _print_alike(alike)
    if any(len(alike) > _SHOWN_ALIKE for alike in groups.values()):
        print("every single one: edgecls check --json, or --html FILE with the pictures")


def _print_problem(problem: Problem) -> None:
    _print_heading(problem.kind, problem.blocking, len(problem.files))
    for name in problem.files[:_NAMED_FILES]:
        print(f"    {printable(name)}")
    if len(problem.files) > _NAMED_FILES:
        print(f"    and {len(problem.files) - _NAMED_FILES} more")
    print(f"  {_advice(problem)}")


def _print_alike(alike: list[Problem]) -> None:
    """Many problems of one kind: how often, and what some of them are."""
    files = {name for problem in alike for name in problem.files}
    _print_heading(alike[0].kind, alike[0].blocking, len(files), f" ({len(alike):,} times)")
    for problem in alike[:_SHOWN_ALIKE]:
        print(f"    {_advice(problem)}")
        if problem.files:
            named = ", ".join(printable(name) for name in problem.files[:_NAMED_FILES])
            print(f"      {named}{', ...' if len(problem.files) > _NAMED_FILES else ''}")
    print(f"    and {len(alike) - _SHOWN_ALIKE:,} more of this kind")


def _print_heading(kind: str, is_blocking: bool, files: int, times: str = "") -> None:
    name = kind.replace("-", " ") + times
    print(f"{name:<32} {files:>7,}  {'yes' if is_blocking else 'no'}")


def _advice(problem: Problem) -> str:
    text = printable(problem.advice)
    return text if len(text) <= _MOST_ADVICE else f"{text[:_MOST_ADVICE]}..."
