"""What every command prints with: safe text, JSON lines, progress.

Only `cli` modules print; rooms below are given an `Advance` or a `ShowProgress`.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import IO, Any, Final, Protocol, TypeAlias

_PLAIN_INTERVAL_S: Final = 5.0
# To the beginning of the line, and clear it: what a live line is drawn with.
CLEAR: Final = "\r\x1b[K"


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


class _ShownStream(io.TextIOWrapper):
    """Standard output or error on which a terminal obeys nothing but the end of a line."""

    plain: io.TextIOWrapper  # kept: it would close their common buffer

    def write(self, text: str, /) -> int:
        """Write; a live line begins with `CLEAR`, all other control characters are shown."""
        line = text[:-1] if text.endswith("\n") else text
        if not line.isprintable():
            begin = CLEAR if text.startswith(CLEAR) else ""
            rest = text[len(begin) :]
            text = begin + "\n".join(printable(each) for each in rest.split("\n"))
        return super().write(text)


def print_error(problem: str, hint: str = "") -> None:
    """Say on standard error what is wrong, and what to do about it."""
    print(f"error: {printable(problem)}", file=sys.stderr)
    if hint:
        print(f"  hint: {printable(hint)}", file=sys.stderr)


def guard_streams() -> None:
    """Let nothing that is printed from now on control the terminal, whoever forgot `printable`.

    It is the second line: only where a text is made is it known which of its line breaks are ours.
    """
    for name in ("stdout", "stderr"):
        plain = getattr(sys, name)
        if isinstance(plain, io.TextIOWrapper) and not isinstance(plain, _ShownStream):
            shown = _ShownStream(
                plain.buffer,
                encoding=plain.encoding,
                errors="backslashreplace",
                line_buffering=plain.line_buffering,
                write_through=plain.write_through,
            )
            shown.plain = plain
            setattr(sys, name, shown)


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
        console=Console(file=_plain_stderr()),
        redirect_stdout=False,  # results go where the user sent them, not above the bar
    ) as bar:
        task = bar.add_task(escape(printable(title)), total=total, note="")

        def advance(done: int, note: str = "", *, total: int | None = None) -> None:
            shown = escape(printable(note))
            bar.update(task, completed=done, note=shown, total=total)  # None: as it was

        yield advance


def _plain_stderr() -> IO[str]:
    """Standard error past `guard_streams`: a bar is drawn with control characters."""
    is_guarded = isinstance(sys.stderr, _ShownStream) and sys.__stderr__ is not None
    return sys.__stderr__ if is_guarded else sys.stderr  # type: ignore[return-value]


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
            line = printable(f"{title}: {done}{of} {note}".rstrip())
            print(line, file=sys.stderr, flush=True)

    return advance
