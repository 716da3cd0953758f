"""Options about a source that is away, silent, or gives frames that are no good."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, TypeAlias

import typer

from edgecls.console import printable

if TYPE_CHECKING:
    from edgecls.sources import Source, SourceWishes

_PANEL: Final = "Lost cameras"

WaitOption: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--wait/--no-wait",
        help="Wait for a camera that is not there at the start, instead of ending with an error.",
        show_default="wait as a service, else do not",
        rich_help_panel=_PANEL,
    ),
]
TimeoutOption: TypeAlias = Annotated[
    float,
    typer.Option(
        "--source-timeout",
        help="Seconds after which a silent source is opened again, that included.",
        rich_help_panel=_PANEL,
    ),
]
MemoryOption: TypeAlias = Annotated[
    float,
    typer.Option(
        "--source-memory",
        help="MB that the process of an RTSP or Pi camera may take before it is started again.",
        rich_help_panel=_PANEL,
    ),
]
WarnAfterOption: TypeAlias = Annotated[
    float,
    typer.Option(
        "--warn-after",
        help="Warn of pictures that are frozen, black or too few for so many seconds; 0: never.",
        rich_help_panel=_PANEL,
    ),
]


class SourceChoices(NamedTuple):
    """What the user chose of the options above."""

    wait: bool | None = None
    source_timeout: float = 5.0
    source_memory: float = 400.0
    warn_after: float = 10.0

    def add_to(self, wishes: SourceWishes) -> SourceWishes:
        """The wishes with these.

        Raises:
            InvalidValueError: A number that none of them may have.
        """
        import dataclasses

        return dataclasses.replace(
            wishes, timeout_s=self.source_timeout, memory_mb=self.source_memory
        )

    def make_opener(
        self, text: str, wishes: SourceWishes, *, is_limited: bool
    ) -> Callable[[], Source]:
        """What opens the source, and opens it again when it was lost.

        A person who made a mistake wants an error, and so does a script that asked for so many
        frames. A service wants its camera, whenever that comes.

        Args:
            text: As written after `--source`.
            wishes: What it is asked for.
            is_limited: Whether the loop ends by itself after some frames.
        """
        is_service = bool(os.environ.get("NOTIFY_SOCKET")) and not is_limited
        waits = is_service if self.wait is None else self.wait
        return _Opener(text, wishes, waits=waits)


class _Opener:
    def __init__(self, text: str, wishes: SourceWishes, *, waits: bool) -> None:
        self._text = text
        self._wishes = wishes
        self._waits = waits

    def __call__(self) -> Source:
        from edgecls.errors import NoSuchSourceError, SourceError
        from edgecls.sources import can_come_back, open_source

        waits, self._waits = self._waits, False
        try:
            source = open_source(self._text, self._wishes)
        except NoSuchSourceError:
            raise
        except SourceError as wrong:
            if not (waits and can_come_back(self._text)):
                raise
            from edgecls.sources.absent import AbsentSource

            print(f"warning: {printable(wrong.problem)}; waiting for it", file=sys.stderr)
            print(f"  hint: {printable(wrong.hint)}", file=sys.stderr)
            return AbsentSource(self._text, wrong)
        for warning in source.warnings:
            print(f"warning: {printable(source.name)}: {printable(warning)}", file=sys.stderr)
        return source
