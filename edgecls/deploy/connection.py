"""One ssh connection: the board's part and the model go there, what it says comes back."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import IO, Any, Final

from edgecls.child.environment import without_secrets
from edgecls.deploy.answers import MOST_BYTES, Answers
from edgecls.deploy.board import PARTS
from edgecls.deploy.target import Target
from edgecls.errors import DeployError

_CHUNK: Final = 1 << 16
# One word for every login shell. Isolated: nothing in the user's home is taken for a module.
_REMOTE: Final = (
    "exec python3 -I -c 'import json, sys; exec(json.loads(sys.stdin.buffer.readline()))'"
)
# The first line there: reads the modules (name -> text) from the second, and begins.
_BEGIN: Final = (
    "import json, sys, types\n"
    "for name, text in json.loads(sys.stdin.buffer.readline()).items():\n"
    "    module = sys.modules[name] = types.ModuleType(name)\n"
    '    exec(compile(text, name, "exec"), module.__dict__)\n'
    "module.main()\n"
)
_SSH_FAILED, _NOT_FOUND = 255, 127
# What OpenSSH says -> what to do.
_HINTS: Final = {
    "resolve hostname": "check the name; in a local network it is often NAME.local",
    "Connection refused": "is ssh switched on there? (raspi-config, Interface Options)",
    "timed out|No route|unreachable": "is the board on, and in this network?",
    "Permission denied": "try 'ssh {host}' by hand; ssh-copy-id gives the board your key",
    "Host key verification|IDENTIFICATION HAS CHANGED": "run 'ssh {host}' once by hand and look at"
    " the key; after a new SD card: ssh-keygen -R BOARD",
}
_BROKEN: Final = (
    "the board goes on alone with a model that has arrived: run the same command again to see"
)
# Two self-tests, and the service stopped and started, with the new model and with the old one.
_WORK_S: Final = 1800.0
_SLOWEST_BYTES_S: Final = 16 << 10
_OUT, _ERR = 1, 2
_MOST_SAID: Final = 4000  # of what ssh and the board's shell complain of, the end

Advance = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a board is waited for.

    Args:
        first_s: For the first sign of its part, log-in included.
        silence_s: Between two signs; its part gives one every few seconds, whatever it is at.
        total_s: For all of it.
        end_s: For the end of the connection after the last message.
    """

    first_s: float = 30.0
    silence_s: float = 30.0
    total_s: float = _WORK_S
    end_s: float = 5.0

    @classmethod
    def for_order(cls, size: int) -> Patience:
        """For a model of so many bytes; where ssh may ask a person, log-in takes longer."""
        return cls(60.0 if _may_ask() else 30.0, total_s=_WORK_S + size / _SLOWEST_BYTES_S)


def _may_ask() -> bool:
    """Whether ssh can ask for a password or about a key."""
    if os.environ.get("SSH_ASKPASS"):
        return True
    with contextlib.suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
        return True
    return False


def send(
    target: Target,
    order: Mapping[str, Any],
    content: bytes = b"",
    hear: Callable[[Mapping[str, Any]], None] = lambda _: None,
    advance: Advance = lambda _: None,
    patience: Patience | None = None,
) -> dict[str, Any]:
    """Have a board carry out an order.

    Args:
        target: The board.
        order: See `edgecls.deploy.board.work.carry_out`.
        content: The model.
        hear: Takes each step that the board says it has done.
        advance: Takes the number of bytes that have been sent; called in another thread.
        patience: How long it is waited for; None for what suits the model.

    Returns:
        The board's report.

    Raises:
        DeployError: It cannot be reached, says what it may not or nothing, or it refuses; then it
            keeps the model that it has.
    """
    lines = (_BEGIN, _load_parts(), dict(order))
    head = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    with _Exchange(target, patience or Patience.for_order(len(content))) as exchange:
        exchange.send(head, content, advance)
        answer = exchange.listen(hear)
        code, said = exchange.end()
    if "done" in answer:
        done: dict[str, Any] = answer["done"]
        return done
    if "problem" in answer:
        raise DeployError(answer["problem"], hint=answer["hint"])
    raise _explain(target, code, said)


def _load_parts() -> dict[str, str]:
    folder = resources.files("edgecls.deploy.board")
    return {
        f"edgecls.deploy.board.{name}": folder.joinpath(f"{name}.py").read_text("utf-8")
        for name in PARTS
    }


class _Exchange:
    """An `ssh` with a thread for each of its pipes, so that none is waited for beyond a deadline.

    Args:
        target: The board.
        patience: How long it is waited for.
    """

    def __init__(self, target: Target, patience: Patience) -> None:
        self._target = target
        self._patience = patience
        self._began_s = time.monotonic()
        # What came from which pipe; nothing for its end.
        self._heard: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._said = b""
        self._complained = 0
        self._process = subprocess.Popen(
            target.command(_REMOTE),
            env=without_secrets(),  # `SendEnv` in the user's ssh_config could pass it on
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._threads: list[tuple[threading.Thread, IO[bytes] | None]] = []
        self._start(self._process.stdout, lambda: self._read(_OUT, self._process.stdout))
        self._start(self._process.stderr, lambda: self._read(_ERR, self._process.stderr))

    def __enter__(self) -> _Exchange:
        return self

    def __exit__(self, *_wrong: object) -> None:
        """Whatever happened, nothing of it is left running."""
        self._process.kill()
        self._process.wait()
        for thread, pipe in self._threads:
            # A connection that ssh keeps for later (ControlPersist) may hold a pipe for longer.
            thread.join(1.0)
            if pipe is not None and not thread.is_alive():
                pipe.close()

    def send(self, head: bytes, content: bytes, advance: Advance) -> None:
        """Begin to send all of it, unless the board has heard enough: then it says why."""
        pipe = self._process.stdin

        def work() -> None:
            assert pipe is not None
            with contextlib.suppress(OSError):
                _write(pipe, head)
                for begin in range(0, len(content), _CHUNK):
                    _write(pipe, content[begin : begin + _CHUNK])
                    advance(min(begin + _CHUNK, len(content)))
            with contextlib.suppress(OSError):
                pipe.close()

        self._start(None, work)

    def listen(self, hear: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
        """What the board says at last; empty if it does not come to that.

        Raises:
            DeployError: It says what it may not, nothing for too long, or does not end.
        """
        answers = Answers()
        until_s = self._began_s + self._patience.first_s
        while True:
            number, content = self._hear(until_s, answers)
            if number == _ERR:
                continue
            before = answers.signs
            for step in answers.feed(content) if content else answers.end():
                hear(step)
            if answers.last or not content:
                return self._finish(answers) if content else answers.last
            if answers.signs > before:
                until_s = time.monotonic() + self._patience.silence_s

    def end(self) -> tuple[int, str]:
        """The exit code of ssh, and what it and the board's shell complained of."""
        try:
            code = self._process.wait(self._patience.end_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        until_s = time.monotonic() + 1.0
        with contextlib.suppress(queue.Empty):
            while self._next(until_s) != (_ERR, b""):
                pass
        return code, self._said.decode("utf-8", "replace")

    def _finish(self, answers: Answers) -> dict[str, Any]:
        """See that nothing comes behind the last message."""
        until_s = time.monotonic() + self._patience.end_s
        with contextlib.suppress(queue.Empty):
            while (heard := self._next(until_s)) != (_OUT, b""):
                if heard[0] == _OUT:
                    answers.feed(heard[1])
            answers.end()
        return answers.last

    def _hear(self, until_s: float, answers: Answers) -> tuple[int, bytes]:
        """The next of what is said until then, and until the end of all patience."""
        last_s = self._began_s + self._patience.total_s
        try:
            return self._next(min(until_s, last_s))
        except queue.Empty:
            raise self._too_late(answers, is_all=until_s > last_s) from None

    def _next(self, until_s: float) -> tuple[int, bytes]:
        left_s = until_s - time.monotonic()
        if left_s <= 0:  # also where something comes all the time
            raise queue.Empty
        number, content = self._heard.get(timeout=left_s)
        if number == _ERR:
            self._said = (self._said + content)[-_MOST_SAID:]
            self._complained += len(content)
            if self._complained > MOST_BYTES:
                raise DeployError(f"{self._target.host} does not end complaining", hint=_BROKEN)
        return number, content

    def _too_late(self, answers: Answers, *, is_all: bool) -> DeployError:
        host, patience = self._target.host, self._patience
        if is_all:
            return DeployError(f"{host} is not done after {patience.total_s:.0f} s", hint=_BROKEN)
        if answers.signs:
            return DeployError(f"{host} fell silent for {patience.silence_s:.0f} s", hint=_BROKEN)
        return DeployError(
            f"{host} gave no answer within {patience.first_s:.0f} s",
            hint=f"see whether 'ssh {host} python3 --version' answers",
        )

    def _read(self, number: int, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        with contextlib.suppress(OSError, ValueError):
            size = 0
            # Beyond that the other side has raised an error.
            while size <= MOST_BYTES and (content := pipe.read(_CHUNK)):
                size += len(content)
                self._heard.put((number, content))
        self._heard.put((number, b""))

    def _start(self, pipe: IO[bytes] | None, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append((thread, pipe))
        thread.start()


def _write(pipe: IO[bytes], content: bytes) -> None:
    """All of it: a pipe may take less at once."""
    view = memoryview(content)
    while view:
        view = view[pipe.write(view) :]


def _explain(target: Target, code: int, said: str) -> DeployError:
    """Why there is no answer."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else f"ssh ended with {code}"
    if code == _NOT_FOUND:
        return DeployError(
            f"{target.host} has no python3: {last}", hint="run setup.sh there (see devices/)"
        )
    if code != _SSH_FAILED:
        return DeployError(
            f"{target.host} gave no answer: {last}",
            hint=f"see whether 'ssh {target.host} python3 --version' answers",
        )
    for pattern, hint in _HINTS.items():
        if re.search(pattern, said):
            found = next(line for line in reversed(lines) if re.search(pattern, line))
            return DeployError(
                f"{target.host} cannot be reached: {found}", hint=hint.format(host=target.host)
            )
    return DeployError(f"the connection to {target.host} broke off: {last}", hint=_BROKEN)
