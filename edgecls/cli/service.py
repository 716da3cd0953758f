"""What `edgecls camera` does besides when systemd runs it: waits its turn, and says how it is."""

from __future__ import annotations

import math
import os
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgecls.pipeline import LoopSettings
    from edgecls.sinks import Sink


_SOCKET: Final = "NOTIFY_SOCKET"


def wait_for_turn() -> None:
    """Wait where start after start came to nothing, before anything is loaded."""
    if _SOCKET not in os.environ:
        return
    from edgecls.notify import Starts, tell_status

    starts = Starts.from_environment()
    if starts is None:
        return
    number, wait_s = starts.count()
    if wait_s:
        told = f"{number - 1} starts in a row came to nothing: waiting {wait_s:g} s"
        tell_status(told)
        print(told, file=sys.stderr, flush=True)
        time.sleep(wait_s)
    tell_status("loading the model")


def open_service(settings: LoopSettings) -> list[Sink]:
    """What tells systemd about the loop; nothing where the loop is no service."""
    if _SOCKET not in os.environ:
        return []
    from edgecls.notify import Notifier, Starts

    notifier = Notifier.from_environment()
    if notifier is None:
        return []
    from edgecls.sinks.service import ServiceSink

    return [ServiceSink(notifier, Starts.from_environment(), _longest_gap_s(settings))]


def tell_failure(problem: str) -> None:
    """Why the service ends, for `systemctl status`."""
    if _SOCKET in os.environ:
        from edgecls.notify import tell_status

        tell_status(f"error: {problem}")


def _longest_gap_s(settings: LoopSettings) -> float:
    """Between two predictions, by the rates that the user has set."""
    gaps = [1 / settings.fps] if settings.fps else [0.0]
    if settings.motion is not None:
        idle_fps = settings.motion.idle_fps
        gaps.append(1 / idle_fps if idle_fps else math.inf)
    return max(gaps)
