"""The board's service: started and stopped, watched until it runs, asked why not."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from edgecls.deploy.board.telling import Refusal, say

START_S = 240.0
POLL_S = 0.25
_ERROR = "error: "


@dataclass(frozen=True)
class State:
    """What systemd knows of a unit."""

    load: str
    active: str
    restarts: str
    process: str
    result: str
    status: str

    def is_same_run(self, other: State) -> bool:
        """Whether the process is the one that it was."""
        return (self.restarts, self.process) == (other.restarts, other.process)


class Unit:
    """A unit of systemd; where we are not root, `sudo` starts and stops it.

    Args:
        name: With its suffix.
        prove_s: So long it must run on once it was started.
        is_root: Whether no `sudo` is needed; None to look.

    Raises:
        Refusal: There is no systemd, no such unit, or no right to start and stop it.
    """

    def __init__(self, name: str, prove_s: float, is_root: bool | None = None) -> None:
        self._name = name
        self._prove_s = prove_s
        is_root = os.geteuid() == 0 if is_root is None else is_root
        self._sudo = () if is_root else ("sudo", "-n")
        if shutil.which("systemctl") is None:
            raise Refusal("the board has no systemd", "leave --service out")
        if self.look().load != "loaded":
            raise Refusal(f"the board has no {name}", "run setup.sh there (see devices/)")
        for verb in ("start", "stop") if self._sudo else ():
            _, code = _run(*self._sudo, "-l", "systemctl", verb, name)
            if code:
                raise Refusal(
                    f"this user may not {verb} {name} on the board",
                    "let the user into the group edgecls (setup.sh does), or log in as root",
                )

    def look(self) -> State:
        """Its state now; of what systemd does not tell nothing is known."""
        names = ("LoadState", "ActiveState", "NRestarts", "MainPID", "Result", "StatusText")
        said, _ = _run("systemctl", "show", f"--property={','.join(names)}", self._name)
        found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        return State(*(found.get(name, "") for name in names))

    @property
    def is_wanted(self) -> bool:
        """Whether it runs, or tries to."""
        return self.look().active in ("active", "activating", "reloading")

    def stop(self) -> None:
        """Stop it, and wait until it has ended."""
        _run(*self._sudo, "systemctl", "stop", self._name)

    def restart(self) -> dict[str, Any]:
        """Stop and start it: other than by `restart`, it begins to count its starts anew."""
        self.stop()
        return self.start()

    def start(self) -> dict[str, Any]:
        """Start it, and see that it runs on for some seconds.

        Returns:
            `seconds` until it was ready, and its `status`.

        Raises:
            Refusal: It does not run; with its own reason.
        """
        ready_s, first, error = self._wait_until_ready()
        now, end = first, time.monotonic() + self._prove_s
        while now.active == "active" and now.is_same_run(first) and time.monotonic() < end:
            time.sleep(POLL_S)
            now = self.look()
        if now.active == "active" and now.is_same_run(first):
            report = {"seconds": round(ready_s, 1), "status": now.status}
            say(step="started", **report)
            return report
        result = "" if now.result == "success" else f"it ended with {now.result!r}"
        reason = error or self._last_error() or result or "it ended within its first seconds"
        raise Refusal(f"{self._name} does not run: {reason}")

    def _wait_until_ready(self) -> tuple[float, State, str]:
        """Seconds until systemd was done with it, its state then, and what error it told."""
        began, error = time.monotonic(), ""
        words = (*self._sudo, "systemctl", "start", self._name)
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as job:
            while True:
                is_over, seconds = job.poll() is not None, time.monotonic() - began
                now = self.look()
                if now.status.startswith(_ERROR):
                    error = now.status.removeprefix(_ERROR)
                if is_over or seconds > START_S:
                    job.kill()
                    return seconds, now, error
                time.sleep(POLL_S)

    def _last_error(self) -> str:
        said, _ = _run("journalctl", "-u", self._name, "-n", "40", "-o", "cat", "--no-pager")
        errors = [line for line in said.splitlines() if line.startswith(_ERROR)]
        return errors[-1].removeprefix(_ERROR) if errors else ""


def _run(*words: str) -> tuple[str, int]:
    """What a program says, and its exit code; nothing and 1 from one that is not there or hangs."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            words, capture_output=True, stdin=subprocess.DEVNULL, timeout=START_S, check=False
        )
        return done.stdout.decode("utf-8", "replace"), done.returncode
    return "", 1
