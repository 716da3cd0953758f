"""How the board's part speaks to the other side: lines of JSON, signs of life, and refusals."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

# Login scripts print, too: what is ours begins with this.
MARK = "edgecls-deploy: "
ALIVE_S = 3.0
_ONE_AT_A_TIME = threading.Lock()


class Refusal(Exception):
    """Why the board keeps what it has, and what to do about it."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


def say(**fields: Any) -> None:
    """One line for the other side, if it still listens."""
    with _ONE_AT_A_TIME, contextlib.suppress(OSError):
        sys.stdout.write(f"{MARK}{json.dumps(fields)}\n")
        sys.stdout.flush()


@contextlib.contextmanager
def signs_of_life() -> Iterator[None]:
    """Say every few seconds that the board is at work, whatever it waits for."""
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.wait(ALIVE_S):
            say(alive=True)

    sys.stdout.write("\n")  # whatever a login script has said without the end of a line
    say(alive=True)
    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
