"""What every command prints with: safe text, JSON lines, progress.

Only `cli` modules print; rooms below are given an `Advance` or a `ShowProgress`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol, TypeAlias

_PLAIN_INTERVAL_S: Final = 5.0


class Advance(Protocol):
    """Reports progress: how many are done, and what to say of the last one."""

    def __call__(self, done: int, note: str = "") -> None: ...


# What shows progress: a title and the number of steps in, `Advance` out.
ShowProgress: TypeAlias = Callable[[str, int], AbstractContextManager[Advance]]


class OpenAdvance(Protocol):
    """An `Advance` that may also be told the total, as soon as it is known."""

    def __call__(self, done: int, note: str = "", *, total: int | None = None) -> None: ...


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
