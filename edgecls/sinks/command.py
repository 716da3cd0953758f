"""A program that is run when the steady label changes."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from edgecls.child.environment import for_strangers
from edgecls.console import printable
from edgecls.contract.events import ChangeEvent, Event
from edgecls.errors import SinkError
from edgecls.imaging.captured import CapturedFrame
from edgecls.sinks import Sink

_PLACEHOLDER: Final = re.compile(r"\{(\w*)\}")
_KNOWN: Final = ("label", "previous", "score", "frame", "time")
_TAIL_BYTES: Final = 2000
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class CommandLimits:
    """How often and how long.

    Args:
        min_interval_s: From one start to the next; of the changes in between the newest counts.
        timeout_s: A command that takes longer is killed, with whatever it started.
    """

    min_interval_s: float = 1.0
    timeout_s: float = 10.0


class CommandSink(Sink):
    """Runs a program, never two at once, with what changed in its arguments and environment.

    No shell is involved: the text is split once, as a shell would split it, and only then are
    `{label}`, `{previous}`, `{score}`, `{frame}` and `{time}` filled in, so no label can add an
    argument. One that would begin an argument with `-` gets a `_` there, so that none is taken
    for an option. `EDGECLS_LABEL` and so on hold the same, unchanged. Passwords and tokens in our
    environment are not handed on, nor is any other variable of edgecls.

    Args:
        text: Program and arguments.
        tell: Takes a line for people, when the program fails and when it works again.
        limits: How often and how long.

    Raises:
        SinkError: There is no such program, or a placeholder is unknown.
    """

    name = "on-change"
    takes: ClassVar = (ChangeEvent,)

    def __init__(
        self,
        text: str,
        tell: Callable[[str], None] = lambda _: None,
        limits: CommandLimits | None = None,
    ) -> None:
        self._template = _parse(text)
        self._tell = tell
        self._limits = limits or CommandLimits()
        self._runs = self._failures = self._skipped = 0
        self._is_failing = False
        self._newest: ChangeEvent | None = None
        self._is_closing = False
        self._next_s = 0.0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="on-change", daemon=True)
        self._thread.start()

    def handle(self, event: Event, _frame: CapturedFrame | None = None) -> None:
        """Have the program run for a change, soon; one that waits already is overtaken."""
        if isinstance(event, ChangeEvent):
            with self._changed:
                self._skipped += self._newest is not None
                self._newest = event
                self._changed.notify_all()

    def close(self) -> None:
        """Run for the newest change, and wait for it."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join()

    @property
    def counts(self) -> Mapping[str, int]:
        """Programs started, those that failed, and changes that were overtaken."""
        return {"runs": self._runs, "errors": self._failures, "overtaken": self._skipped}

    def _work(self) -> None:
        while (event := self._next()) is not None:
            self._next_s = time.monotonic() + self._limits.min_interval_s
            self._runs += 1
            reason = self._run(event)
            self._failures += bool(reason)
            if reason and not self._is_failing:
                self._tell(f"{self.name}: {reason}")
            if not reason and self._is_failing:
                self._tell(f"{self.name}: works again")
            self._is_failing = bool(reason)

    def _next(self) -> ChangeEvent | None:
        """The newest change, once the time for it has come; None when there will be none."""
        with self._changed:
            while True:
                wait_s = self._next_s - time.monotonic()
                if self._newest is not None and (wait_s <= 0 or self._is_closing):
                    event, self._newest = self._newest, None
                    return event
                if self._newest is None and self._is_closing:
                    return None
                self._changed.wait(wait_s if self._newest is not None else None)

    def _run(self, event: ChangeEvent) -> str:
        """Run the program; returns what went wrong, empty if nothing did."""
        values = _values_of(event)
        arguments = [self._template[0], *(_fill(part, values) for part in self._template[1:])]
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_environment(values),
                start_new_session=True,  # Ctrl-C is ours, and all it started can be killed
            )
        except (OSError, ValueError) as wrong:
            return f"{self._template[0]}: {wrong}"
        with process:
            is_over, tail = _read_to_end(process, self._limits.timeout_s)
            _kill_all(process)
        if not is_over:
            return f"{self._template[0]} took longer than {self._limits.timeout_s:g} s, killed"
        if process.returncode:
            said = printable(tail.decode("utf-8", "replace").strip())
            return (
                f"{self._template[0]} ended with {process.returncode}{': ' if said else ''}{said}"
            )
        return ""


def _parse(text: str) -> Sequence[str]:
    try:
        parts = shlex.split(text)
    except ValueError as wrong:
        raise SinkError(f"the command {text!r} cannot be split: {wrong}") from wrong
    if not parts or _PLACEHOLDER.search(parts[0]):
        raise SinkError(
            f"the command {text!r} does not begin with a program",
            hint="for example: --on-change 'notify-send {label}'",
        )
    for name in _PLACEHOLDER.findall(" ".join(parts[1:])):
        if name and name not in _KNOWN:
            known = ", ".join(f"{{{name}}}" for name in _KNOWN)
            raise SinkError(f"the command has an unknown {{{name}}}", hint=f"known: {known}")
    program = shutil.which(parts[0])
    if program is None:
        raise SinkError(
            f"there is no program {parts[0]!r}", hint="give its whole path, or make it executable"
        )
    return [program, *parts[1:]]


def _values_of(event: ChangeEvent) -> Mapping[str, str]:
    values = {
        "label": event.label,
        "previous": event.previous,
        "score": f"{event.score:.4f}",
        "frame": str(event.frame),
        "time": f"{event.time:.3f}",
    }
    return {name: value.replace("\0", "\\0") for name, value in values.items()}


def _fill(part: str, values: Mapping[str, str]) -> str:
    filled = _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), part)
    if filled.startswith("-") and not part.startswith("-"):
        return "_" + filled[1:]
    return filled


def _environment(values: Mapping[str, str]) -> Mapping[str, str]:
    ours = {f"EDGECLS_{name.upper()}": value for name, value in values.items()}
    return {**for_strangers(), **ours}


def _read_to_end(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[bool, bytes]:
    """Read what a program says until it ends; returns whether it did, and the end of it."""
    assert process.stdout is not None
    end = time.monotonic() + timeout_s
    tail, is_open = b"", True
    while process.poll() is None or is_open:
        if process.poll() is None and time.monotonic() > end:
            return False, tail
        if not is_open:
            time.sleep(_POLL_S)
            continue
        readable, _, _ = select.select([process.stdout], [], [], _POLL_S)
        if readable:
            more = os.read(process.stdout.fileno(), 1 << 16)
            tail, is_open = (tail + more)[-_TAIL_BYTES:], bool(more)
        elif process.poll() is not None:
            break  # what it left in the background holds the pipe
    return True, tail


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
