"""How the board's part speaks to the other side: lines of JSON, and refusals."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

# Login scripts print, too: what is ours begins with this.
MARK = "edgecls-deploy: "


class Refusal(Exception):
    """Why the board keeps what it has, and what to do about it."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


def say(**fields: Any) -> None:
    """One line for the other side, if it still listens."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{MARK}{json.dumps(fields)}\n")
        sys.stdout.flush()
