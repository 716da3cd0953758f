"""How training tells its caller how far it is, without printing anything itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from edgecls.console import Advance


class OpenProgress(Protocol):
    """Opens a display of one long task; `edgecls.console.progress` is one."""

    def __call__(self, title: str, total: int) -> AbstractContextManager[Advance]: ...


@contextmanager
def no_progress(title: str, total: int) -> Iterator[Advance]:
    """Show nothing."""
    del title, total
    yield _ignore


def _ignore(done: int, note: str = "") -> None:
    del done, note
