"""The child's side of `edgecls.child`: what every such process does first. It imports little."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from typing import Any, Final

from edgecls.child import MOST_PACKET_BYTES
from edgecls.errors import is_strict

# What is written to stderr is kept in memory for the parent, and never more than this.
_MOST_STDERR_BYTES: Final = 1 << 18
_MOST_TEXT: Final = 5_000  # letters, each of which JSON may write with twelve
_OURS: Final = ("edgecls", "__main__")
_BUGS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    TypeError,
)


def begin() -> tuple[socket.socket, dict[str, Any]]:
    """The line to the parent, and the job."""
    line = socket.socket(fileno=int(sys.argv[1]))
    end_with_parent()
    _offer_to_go_first()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends the child
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, _MOST_STDERR_BYTES)
    packet = line.recv(MOST_PACKET_BYTES)
    if not packet:
        os._exit(0)
    return line, json.loads(packet)


def _offer_to_go_first() -> None:
    """Where memory runs out, the kernel ends this process rather than the one that waits for it."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass  # not Linux, or /proc is hidden: then it goes by size


def say(line: socket.socket, **message: Any) -> None:
    """Tell the parent something."""
    line.send(json.dumps(message).encode())


def give_up(line: socket.socket, wrong: BaseException) -> None:
    """Tell the parent that this is the end, and why."""
    half = _MOST_TEXT // 2
    bug = traceback.format_exc()[-half:] if is_strict() and _is_bug(wrong) else ""
    most = half if bug else _MOST_TEXT
    say(line, failed=type(wrong).__name__, text=str(wrong)[:most], bug=bug)


def _is_bug(wrong: BaseException) -> bool:
    """Whether it is our own lines that failed, and not an engine or a decoder of others."""
    steps = list(traceback.walk_tb(wrong.__traceback__))
    is_ours = bool(steps) and str(steps[-1][0].f_globals.get("__name__")).startswith(_OURS)
    return is_ours and isinstance(wrong, _BUGS)


def limit(what: int, most: int) -> None:
    """Set a limit of the kernel's for this process, where a service's own rules allow that."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(what, (most, most))


def forget_stderr() -> None:
    """Make room for new words of a library that talks all the time; of interest are the last."""
    if os.fstat(2).st_size > _MOST_STDERR_BYTES // 2:
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)


def end_with_parent() -> None:
    """Let the kernel end this process when its parent is gone, whatever it is doing then.

    Stdin is a pipe from the parent, and nothing is ever written into it. When its other end goes,
    the kernel sends SIGIO, which kills: also a process that hangs in a library and holds Python's
    lock. (PR_SET_PDEATHSIG would kill it when the *thread* ends that started it.)
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    hung_up = select.poll()
    hung_up.register(0, 0)  # POLLHUP is always told
    if hung_up.poll(0):
        os._exit(0)
