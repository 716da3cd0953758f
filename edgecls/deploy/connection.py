"""One ssh connection: the board's part and the model go there, what it says comes back."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import IO, Any, Final

from edgecls.deploy.board import PARTS
from edgecls.deploy.board.telling import MARK
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

Advance = Callable[[int], object]


def send(
    target: Target,
    order: Mapping[str, Any],
    content: bytes = b"",
    hear: Callable[[Mapping[str, Any]], None] = lambda _: None,
    advance: Advance = lambda _: None,
) -> dict[str, Any]:
    """Have a board carry out an order.

    Args:
        target: The board.
        order: See `edgecls.deploy.board.work.carry_out`.
        content: The model.
        hear: Takes each step that the board says it has done.
        advance: Takes the number of bytes that have been sent.

    Returns:
        The board's report.

    Raises:
        DeployError: It cannot be reached, or it refuses; then it keeps the model that it has.
    """
    lines = (_BEGIN, _load_parts(), dict(order))
    head = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    with subprocess.Popen(
        target.command(_REMOTE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            complaint = _Complaint(process.stderr)
            _write(process.stdin, head, content, advance)
            answer = _listen(process.stdout, hear)
        except BaseException:
            process.kill()
            raise
        code, said = process.wait(), complaint.read()
    if "done" in answer:
        done: dict[str, Any] = answer["done"]
        return done
    if "problem" in answer:
        raise DeployError(str(answer["problem"]), hint=str(answer["hint"]))
    raise _explain(target, code, said)


def _load_parts() -> dict[str, str]:
    folder = resources.files("edgecls.deploy.board")
    return {
        f"edgecls.deploy.board.{name}": folder.joinpath(f"{name}.py").read_text("utf-8")
        for name in PARTS
    }


def _write(pipe: IO[bytes], head: bytes, content: bytes, advance: Advance) -> None:
    """All of it, unless the board has heard enough: then it says why."""
    try:
        pipe.write(head)
        for begin in range(0, len(content), _CHUNK):
            pipe.write(content[begin : begin + _CHUNK])
            advance(min(begin + _CHUNK, len(content)))
        pipe.close()
    except BrokenPipeError:
        with contextlib.suppress(BrokenPipeError):  # what is left in the buffer
            pipe.close()


def _listen(pipe: IO[bytes], hear: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
    """What the board says at last; empty if it does not come to that."""
    answer: dict[str, Any] = {}
    for said in _messages(pipe):
        if "step" in said:
            hear(said)
        else:
            answer = said
    return answer


def _messages(pipe: IO[bytes]) -> Iterator[dict[str, Any]]:
    for line in pipe:
        text = line.decode("utf-8", "replace")
        if text.startswith(MARK):
            found = json.loads(text.removeprefix(MARK))
            if isinstance(found, dict):
                yield found


class _Complaint:
    """What ssh and the board's shell say on stderr, read in a thread so that neither waits."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._pipe = pipe
        self._text = b""
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        # A connection that ssh keeps for later (ControlPersist) holds the pipe until we close it.
        with contextlib.suppress(ValueError, OSError):
            for line in self._pipe:
                self._text = (self._text + line)[-4000:]

    def read(self) -> str:
        """All of it, once the process has ended."""
        self._thread.join(1.0)
        return self._text.decode("utf-8", "replace")


def _explain(target: Target, code: int, said: str) -> DeployError:
    """Why there is no answer."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else f"ssh ended with {code}"
    if code == _NOT_FOUND:
        return DeployError(
            f"{target.host} has no python3: {last}", hint="run setup.sh there (see devices/)"
        )
    if code != _SSH_FAILED:
        return DeployError(f"{target.host} gave no answer: {last}")
    for pattern, hint in _HINTS.items():
        if re.search(pattern, said):
            found = next(line for line in reversed(lines) if re.search(pattern, line))
            return DeployError(
                f"{target.host} cannot be reached: {found}", hint=hint.format(host=target.host)
            )
    return DeployError(f"the connection to {target.host} broke off: {last}", hint=_BROKEN)
