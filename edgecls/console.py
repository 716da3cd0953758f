"""What every command prints with: safe text, JSON lines, progress.

Only `cli` modules print; rooms below are given an `Advance` or a `ShowProgress`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import IO, Any, Final, Protocol, TypeAlias

_PLAIN_INTERVAL_S: Final = 5.0


class Advance(Protocol):
    """Reports progress: how many are done, and what to say of the last one."""

    def __call__(self, done: int, note: str = "") -> None: ...


# What shows progress: a title and the number of steps in, `Advance` out.
ShowProgress: TypeAlias = Callable[[str, int], AbstractContextManager[Advance]]


class OpenAdvance(Protocol):
    """An `Advance` that may also be told the total, as soon as it is known."""

    def __call__(self, done: int, note: str = "", *, total: int | None = None) -> None: ...


@contextmanager
def redirected(*descriptors: int, to: IO[Any]) -> Iterator[None]:
    """Send what is written to descriptors elsewhere, by native libraries too.

    Descriptors belong to the whole process: keep the block short, and show no progress inside it.

    Args:
        descriptors: 1 for standard output, 2 for standard error; a closed one disturbs nobody.
        to: An open file.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with ExitStack() as undo:
        for descriptor in descriptors:
            with suppress(OSError):
                saved = os.dup(descriptor)
                undo.callback(os.close, saved)
                undo.callback(os.dup2, saved, descriptor)
                os.dup2(to.fileno(), descriptor)
        yield


def silence_libraries() -> None:
    """Send what C libraries print to stderr nowhere, from now on; Python's own stderr stays.

    Decoders complain of every damaged frame of a camera, thirty times a second and without end.
    What matters of it comes back as an error, and is told in our words.
    """
    import ctypes

    with suppress(OSError, ValueError, AttributeError):  # another C library than Linux has
        library = ctypes.CDLL(None)
        library.fopen.restype = ctypes.c_void_p
        nowhere = library.fopen(os.devnull.encode(), b"w")
        if nowhere:
            ctypes.c_void_p.in_dll(library, "stderr").value = nowhere


def json_line(value: Any) -> str:
    """One line of JSON in pure ASCII: no label or file name, however odd, can break it."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


def printable(text: str) -> str:
    """Text for a terminal: line breaks, escapes and undecodable bytes are shown, not obeyed."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


@contextmanager
def progress(title: str, total: int | None) -> Iterator[OpenAdvance]:
    """Show on stderr how far a long task is: a bar on a terminal, now and then a line elsewhere.

    Args:
        title: What is being done.
        total: How many steps it has; None while that is not known, `advance` may tell it later.
    """
    if not sys.stderr.isatty():
        yield _plain_lines(title, total)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        redirect_stdout=False,  # results go where the user sent them, not above the bar
    ) as bar:
        task = bar.add_task(escape(title), total=total, note="")

        def advance(done: int, note: str = "", *, total: int | None = None) -> None:
            bar.update(task, completed=done, note=escape(note), total=total)  # None: as it was

        yield advance


def _plain_lines(title: str, total: int | None) -> OpenAdvance:
    last = time.monotonic()
    known = total

    def advance(done: int, note: str = "", *, total: int | None = None) -> None:
        nonlocal last, known
        known = known if total is None else total
        now = time.monotonic()
        if (known is not None and done >= known) or now - last >= _PLAIN_INTERVAL_S:
            last = now
            of = "" if known is None else f"/{known}"
            print(f"{title}: {done}{of} {note}".rstrip(), file=sys.stderr, flush=True)

    return advance
