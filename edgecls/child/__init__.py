"""A child process for code of others that may hang, crash or grow: it is killed, and says why.

What it is told and what it answers are JSON objects, one a packet; large things are in memory that
both processes see. Whatever happens to the parent, even `kill -9`, the child ends with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from edgecls.child.environment import without_secrets

MOST_PACKET_BYTES: Final = 1 << 16
_SHOWN_STDERR_BYTES: Final = 4096
# What was killed is gone at once, unless it is stuck in the kernel: then it is left there.
_END_LIMIT_S: Final = 1.0


class ChildFailedError(Exception):
    """A child that did not do what it was asked for; it is gone by then.

    Args:
        kind: `hang`, `nonsense`, the name of a signal such as `SIGSEGV`, `exit status N`, or the
            name of the exception that ended it.
        text: What the exception said, or the last lines on stderr.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind} {text}".strip())
        self.kind = kind
        self.text = text


class ChildBugError(Exception):
    """A bug in the child's own lines, with its traceback; only where `is_strict`."""


class Child:
    """A running child process.

    Args:
        module: Run as `python -m`; it calls `edgecls.child.inside.begin` first of all.
        job: What it gets from there. It travels over the line, since every user of a machine can
            read the arguments of a process.
        files: Descriptors that it inherits, under the same numbers.
        secrets: Names of environment variables that it needs; it inherits no other password.

    Raises:
        OSError: There is no process, or no memory for it.
    """

    def __init__(
        self,
        module: str,
        job: Mapping[str, Any],
        files: Sequence[int] = (),
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stderr = -1
        self._is_closed = False
        try:
            self._stderr = open_memory("stderr")
            self._process = subprocess.Popen(
                # -P: nothing in the current folder is taken for a module.
                [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                stdin=subprocess.PIPE,  # its end tells the child that we are gone
                stdout=self._stderr,
                stderr=self._stderr,
                env=without_secrets(secrets),
                pass_fds=(theirs.fileno(), *files),
                start_new_session=True,
            )
        except BaseException:
            self._release()
            raise
        finally:
            theirs.close()
        self.tell(job)

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, and was not closed: one of much memory dies for seconds."""
        return not self._is_closed and self._process.poll() is None

    @property
    def private_bytes(self) -> int:
        """The memory that it shares with nobody; 0 if it is gone."""
        try:
            with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
                _, resident, shared, *_ = file.read().split()
        except (OSError, ValueError):
            return 0
        return (int(resident) - int(shared)) * mmap.PAGESIZE

    def tell(self, packet: Mapping[str, Any]) -> None:
        """Send it something; that it is gone, `receive` will find out."""
        with contextlib.suppress(OSError):
            self._line.settimeout(_END_LIMIT_S)
            self._line.send(json.dumps(packet).encode())

    def receive(self, limit_s: float) -> dict[str, Any]:
        """Its next packet.

        Raises:
            ChildFailedError: It crashed, gave up, or said nothing for `limit_s`.
            ChildBugError: A bug of ours ended it.
        """
        try:
            self._line.settimeout(max(limit_s, 0.001))
            packet = self._line.recv(MOST_PACKET_BYTES)
        except TimeoutError:
            self.close()
            raise ChildFailedError("hang", f"no answer in {limit_s:g} s") from None
        except OSError:
            packet = b""
        if not packet:
            kind, text = self._how_it_ended(), self._last_words()
            self.close()
            raise ChildFailedError(kind, text)
        try:
            message: dict[str, Any] = json.loads(packet)
        except ValueError:
            self.close()
            raise ChildFailedError("nonsense", f"its answer is none: {packet[:80]!r}") from None
        if "failed" in message:
            self.close()
            if message.get("bug"):
                raise ChildBugError(str(message["bug"]))
            raise ChildFailedError(str(message["failed"]), str(message["text"]))
        return message

    def close(self) -> None:
        """End the child, whatever it does; may be called twice, and by any thread."""
        self._is_closed = True
        if self._process.poll() is None:
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_LIMIT_S)
        self._release_pipe()
        self._release()

    def _release_pipe(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _release(self) -> None:
        self._line.close()
        stderr, self._stderr = self._stderr, -1
        if stderr >= 0:
            os.close(stderr)

    def _how_it_ended(self) -> str:
        """How a child ended that closed its line."""
        try:
            status = self._process.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            return "hang"
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"

    def _last_words(self) -> str:
        try:
            start = max(0, os.fstat(self._stderr).st_size - _SHOWN_STDERR_BYTES)
            words = os.pread(self._stderr, _SHOWN_STDERR_BYTES, start)
        except OSError:  # another thread has closed it meanwhile
            return ""
        return words.decode("utf-8", "replace").strip()


def open_memory(name: str, size: int = 0) -> int:
    """A file in memory, which goes with its last user; its descriptor.

    Args:
        name: For those who look into /proc.
        size: In bytes; then nobody can change it any more. Only what is written to takes memory.
    """
    flags = os.MFD_CLOEXEC | (os.MFD_ALLOW_SEALING if size else 0)
    descriptor = os.memfd_create(f"edgecls-{name}", flags)
    if size:
        os.ftruncate(descriptor, size)
        # Who maps a file that somebody else makes shorter is killed by SIGBUS.
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return descriptor
