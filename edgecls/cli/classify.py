"""`edgecls classify`: classify picture files, however many there are."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from edgecls.cli.options import (
    DeviceOption,
    JsonOption,
    LabelsOption,
    ModelOption,
    OnLossOption,
    PerformanceOption,
    RuntimeOption,
    ThreadsOption,
    TopOption,
    choose_accelerator,
    open_classifier,
)
from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import GUESSES, Reads, Writes

if TYPE_CHECKING:
    from edgecls.batch import FileResult

_STDIN: Final = Path("-")
_T = TypeVar("_T")


def classify(
    files: Annotated[
        list[Path],
        typer.Argument(help="Pictures, folders of them, or - for names on standard input."),
        Reads("pictures"),
    ],
    model: ModelOption,
    labels: LabelsOption = None,
    top_k: TopOption = 3,
    as_json: JsonOption = False,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", help="Write a table to this file instead of lines to stdout."),
        Writes(GUESSES),
    ] = None,
    is_null_separated: Annotated[
        bool,
        typer.Option("--null", "-0", help="Names on standard input end in NUL (find -print0)."),
    ] = False,
    decoders: Annotated[
        int | None,
        typer.Option("--decode-threads", help="Threads that read pictures; else one a core."),
    ] = None,
    runtime: RuntimeOption = "auto",
    threads: ThreadsOption = 1,
    device: DeviceOption = None,
    performance: PerformanceOption = None,
    on_loss: OnLossOption = None,
) -> None:
    """Classify pictures, in order; exit 1 if any of them could not be read.

    \b
    edgecls classify --model model.tflite cat.jpg
    edgecls classify --model model.tflite --json pictures/
    edgecls classify --model model.tflite --csv labels.csv pictures/
    find . -name '*.jpg' -print0 | edgecls classify --model model.tflite -0 -
    """
    from edgecls.batch import classify_files
    from edgecls.errors import InvalidValueError, PictureError
    from edgecls.pictures.folder import find_pictures

    if top_k < 1:
        raise InvalidValueError(f"--top-k is {top_k}, wanted at least 1")
    accelerator = choose_accelerator(device, performance, on_loss)
    classifier = open_classifier(model, labels, runtime, threads, accelerator)
    names = _Names(files, is_null_separated=is_null_separated)
    done = failed = 0
    with ExitStack() as stack:
        write = _open_outputs(stack, csv_file, top_k, as_json=as_json)
        advance = _open_progress(stack, names, is_quiet=csv_file is None)
        try:
            paths = find_pictures(names)
            for result in classify_files(classifier, paths, top_k, decoders):
                done += 1
                failed += bool(result.error)
                write(result)
                advance(done)
        except KeyboardInterrupt:
            print(f"stopped after {done} files", file=sys.stderr)
            raise
    if failed:
        print(f"{failed} of {done} files could not be classified", file=sys.stderr)
        raise typer.Exit(1)
    if not done:
        raise PictureError("there are no pictures in what was given", hint="name files or folders")


class _Names:
    """What was named: each file as it is, `-` for those on standard input."""

    def __init__(self, given: list[Path], *, is_null_separated: bool) -> None:
        self.given = given
        self._is_null_separated = is_null_separated

    def __iter__(self) -> Iterator[Path]:
        from edgecls.batch import split_names

        for path in self.given:
            if path == _STDIN:
                # Not `sys.stdin`: its lock would be held at the end by a thread that still waits.
                yield from split_names(
                    lambda: os.read(0, 1 << 16), is_null_separated=self._is_null_separated
                )
            else:
                yield path


def _open_progress(stack: ExitStack, names: _Names, *, is_quiet: bool) -> Callable[[int], None]:
    """A bar on stderr, where the results do not go to the same terminal."""
    if is_quiet and sys.stdout.isatty():
        return lambda _done: None
    advance = stack.enter_context(progress("classify", None))
    total: list[int] = []
    if _STDIN not in names.given and sys.stderr.isatty():
        threading.Thread(target=_count, args=(names.given, total), daemon=True).start()
    return lambda done: advance(done, total=total[0] if total else None)


def _count(given: list[Path], total: list[int]) -> None:
    from edgecls.pictures.folder import find_pictures

    total.append(sum(1 for _ in find_pictures(given)))


def _open_outputs(
    stack: ExitStack, csv_file: Path | None, top_k: int, *, as_json: bool
) -> Callable[[FileResult], None]:
    writers: list[Callable[[FileResult], None]] = []
    if csv_file is not None:
        writers.append(_open_csv(stack, csv_file, top_k))
    if as_json:
        writers.append(lambda result: print(json_line(result.to_json()), flush=True))
    elif csv_file is None:
        writers.append(_print_result)

    def write(result: FileResult) -> None:
        if result.error and not as_json:
            print(f"error: {printable(result.error)}", file=sys.stderr)
        for writer in writers:
            writer(result)

    return write


def _print_result(result: FileResult) -> None:
    if not result.error:
        best = ", ".join(f"{printable(p.label)} {p.score:.1%}" for p in result.predictions)
        print(f"{printable(str(result.path))}: {best}", flush=True)


def _open_csv(stack: ExitStack, path: Path, top_k: int) -> Callable[[FileResult], None]:
    from edgecls.contract.tables import to_row
    from edgecls.errors import EdgeclsError
    from edgecls.storage.guard import open_stream

    def attempt(action: Callable[..., _T], *arguments: Any) -> _T:
        try:
            return action(*arguments)
        except OSError as wrong:
            raise EdgeclsError(
                f"cannot write {str(path)!r}: {wrong.strerror}",
                hint="check that the folder exists, is writable and has free space",
            ) from wrong

    # Line by line, so that what is done is kept whatever happens; an odd name stays UTF-8.
    is_there = path.exists()
    is_stream = is_there and not path.is_file()
    file = attempt(
        lambda: (
            open_stream(path) if is_stream else path.open("w", 1, "utf-8", "backslashreplace", "")
        )
    )
    stack.callback(attempt, file.close)

    def write(result: FileResult) -> None:
        cells = [cell for p in result.predictions for cell in (p.label, f"{p.score:.4f}")]
        cells += [""] * (2 * top_k - len(cells))
        attempt(file.write, to_row([str(result.path), result.error, *cells], "\n"))

    named = [f"{what}_{n}" for n in range(1, top_k + 1) for what in ("label", "score")]
    try:
        attempt(file.write, to_row(["file", "error", *named], "\n"))
    except EdgeclsError:  # a full disk takes the name of a file where it takes none of its bytes
        if not is_there:
            path.unlink(missing_ok=True)
        raise
    return write
