"""An engine in a child process, which may crash or hang: it is killed, and the caller told why."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from edgecls.contract.modelfile import ModelFile
from edgecls.contract.structure import Tensor as TensorOfFile
from edgecls.runtimes import Tensor

LOAD_LIMIT_S: Final = 30.0
RUN_LIMIT_S: Final = 5.0
_MOST_MESSAGE_BYTES: Final = 1 << 16
_SHOWN_STDERR_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Job:
    """What a child does.

    Args:
        engine: `litert` or `tflite_runtime`.
        threads: Of one inference.
        library: Path or name of a delegate's library; empty for none.
        options: Of the delegate.
        load_limit_s: Longest time that one step of loading may take.
        run_limit_s: Longest time that one inference may take.
        memory_bytes: Limit of the child's address space; 0 for none.
    """

    engine: str = "litert"
    threads: int = 1
    library: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    load_limit_s: float = LOAD_LIMIT_S
    run_limit_s: float = RUN_LIMIT_S
    memory_bytes: int = 0


class WorkerFailedError(Exception):
    """A child that did not do its job; translated into an `EdgeclsError` by who started it.

    Args:
        step: What it was doing: start, library, engine, delegate, load or run.
        kind: `hang`, the name of a signal such as `SIGSEGV`, or that of an exception.
        text: What the exception said, or the last lines on stderr.
        version: What the library had said of itself by then.
    """

    def __init__(self, step: str, kind: str, text: str, version: str = "") -> None:
        super().__init__(f"{step}: {kind} {text}".strip())
        self.step = step
        self.kind = kind
        self.text = text
        self.version = version

    @property
    def is_crash(self) -> bool:
        """Whether the process died, as opposed to saying what is wrong."""
        return self.kind.startswith("SIG")


class Worker:
    """A child process, ready to run a model; or only asked about a delegate's library."""

    def __init__(self, job: Job, model: ModelFile | None = None) -> None:
        """Start a child and wait until it is ready.

        Raises:
            WorkerFailedError: It failed, crashed or hung; it is gone by then.
        """
        self.version = ""
        self.devices: tuple[tuple[str, str], ...] = ()
        self._job = job
        self._step = "start"
        self._files: list[int] = []
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            if model is not None:
                self._map_tensors(model.input, model.output)
            self._process = self._spawn(theirs, model)
        except OSError as wrong:
            self._release()
            raise WorkerFailedError("start", "no process", str(wrong)) from wrong
        finally:
            theirs.close()
        try:
            self._load(wants_model=model is not None)
        except BaseException:
            self.close()
            raise
        self._close_files()  # mapped by both, or read: nobody needs them any more

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def run(self) -> Tensor:
        """Run the model on what `image` holds.

        Returns:
            A copy of the raw output, (classes,).

        Raises:
            WorkerFailedError: The child failed; it is gone by then.
        """
        self._step = "run"
        with contextlib.suppress(OSError):  # it is gone, and `_receive` will find out why
            self._line.send(b"run")
        self._receive(self._job.run_limit_s)
        return self._scores.copy()

    def close(self) -> None:
        """End the child, whatever it does; may be called twice."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._release()

    def _release(self) -> None:
        self._line.close()
        self._stderr.close()
        self._close_files()

    def _close_files(self) -> None:
        for descriptor in self._files:
            os.close(descriptor)
        self._files = []

    def _map_tensors(self, image: TensorOfFile, scores: TensorOfFile) -> None:
        """Memory that both processes see: the image, and behind it the scores."""
        image_type, scores_type = np.dtype(image.dtype), np.dtype(scores.dtype)
        split = image.elements * image_type.itemsize
        size = split + scores.elements * scores_type.itemsize
        descriptor = _open_memory("tensors")
        self._files.append(descriptor)
        os.ftruncate(descriptor, size)
        shared = mmap.mmap(descriptor, size)
        self.image: Tensor = np.frombuffer(shared, image_type, image.elements).reshape(image.shape)
        self._scores: Tensor = np.frombuffer(shared, scores_type, scores.elements, split)

    def _spawn(self, theirs: socket.socket, model: ModelFile | None) -> subprocess.Popen[bytes]:
        job = {
            "line": theirs.fileno(),
            "engine": self._job.engine,
            "threads": self._job.threads,
            "library": self._job.library,
            "options": dict(self._job.options),
            "load_limit_s": self._job.load_limit_s,
            "run_limit_s": self._job.run_limit_s,
            "memory_bytes": self._job.memory_bytes,
            "tensors": self._files[0] if model else 0,
            "model": 0,
        }
        if model is not None:
            descriptor = _open_memory("model")
            self._files.append(descriptor)
            with open(descriptor, "wb", closefd=False) as file:
                file.write(model.flatbuffer)
            job["model"] = descriptor
        return subprocess.Popen(
            # -P: nothing in the current folder is taken for a module.
            [sys.executable, "-P", "-m", "edgecls.runtimes.worker_main", json.dumps(job)],
            stdin=subprocess.DEVNULL,
            stdout=self._stderr,
            stderr=self._stderr,
            pass_fds=(theirs.fileno(), *self._files),
            start_new_session=True,
        )

    def _load(self, *, wants_model: bool) -> None:
        while True:
            message = self._receive(self._job.load_limit_s)
            self._step = message.get("doing", self._step)
            if "version" in message:
                self.version = str(message["version"])
                self.devices = tuple((str(kind), str(path)) for kind, path in message["devices"])
                if not wants_model:
                    return
            if message.get("done") == "load":
                return

    def _receive(self, limit_s: float) -> dict[str, Any]:
        """The next message of the child; what went wrong instead, after ending it."""
        self._line.settimeout(limit_s)
        try:
            packet = self._line.recv(_MOST_MESSAGE_BYTES)
        except TimeoutError:
            self._process.kill()
            self._process.wait()
            raise self._failure("hang", f"no answer in {limit_s:g} s") from None
        except OSError:
            packet = b""
        if not packet:
            raise self._failure(self._wait_for_end(), self._last_words())
        try:
            message: dict[str, Any] = json.loads(packet)
        except ValueError as wrong:
            self._process.kill()
            raise self._failure("nonsense", f"its answer is none: {packet[:80]!r}") from wrong
        if "failed" in message:
            raise self._failure(str(message["failed"]), str(message["text"]))
        return message

    def _failure(self, kind: str, text: str) -> WorkerFailedError:
        return WorkerFailedError(self._step, kind, text, self.version)

    def _wait_for_end(self) -> str:
        """How a child ended that closed its line."""
        try:
            status = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if status == -signal.SIGALRM:
            return "hang"
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"

    def _last_words(self) -> str:
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _SHOWN_STDERR_BYTES))
        return self._stderr.read().decode("utf-8", "replace").strip()


def _open_memory(name: str) -> int:
    """A file in memory, which goes with its last user."""
    return os.memfd_create(f"edgecls-{name}", os.MFD_CLOEXEC)
