"""Running edgetpu_compiler: in a folder of its own, for a limited time, leaving no child behind."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from edgecls.child.environment import without_secrets
from edgecls.console import Advance, ShowProgress
from edgecls.errors import EngineError, ModelFileError
from edgecls_convert.edgetpu.log import CompilerLog, find_failure, parse_log

COMPILER: Final = "edgetpu_compiler"
COMPILE_LIMIT_S: Final = 600
SUFFIX: Final = "_edgetpu"
# It stops by itself at its limit; a little later it is stopped.
_GRACE_S: Final = 15.0
_MOST_LOG_BYTES: Final = 1 << 20
_NAME: Final = "model"


def find_compiler() -> str | None:
    """Where edgetpu_compiler is; None where it is not on PATH."""
    return shutil.which(COMPILER)


def compile_flatbuffer(
    flatbuffer: bytes,
    compiler: str,
    progress: ShowProgress,
    limit_s: float = COMPILE_LIMIT_S,
    grace_s: float = _GRACE_S,
) -> tuple[bytes, CompilerLog]:
    """Compile a model.

    Args:
        flatbuffer: Fully quantized, without anything appended.
        compiler: From `find_compiler`.
        progress: Shows how long it has been at it, in seconds.
        limit_s: Longest time that it may take.
        grace_s: How much longer it is waited for.

    Returns:
        The compiled flatbuffer, without card and labels, and what the compiler said.

    Raises:
        ModelFileError: It refuses the model.
        EngineError: It crashed, hung, or wrote nothing.
    """
    with tempfile.TemporaryDirectory(prefix="edgecls-") as name:
        folder = Path(name)
        (folder / f"{_NAME}.tflite").write_bytes(flatbuffer)
        command = [compiler, "-s", "-o", ".", "-t", f"{limit_s:.0f}", f"{_NAME}.tflite"]
        with progress("compiling for the Edge TPU", round(limit_s)) as advance:
            status, said = _run(command, folder, limit_s + grace_s, advance)
        written = folder / f"{_NAME}{SUFFIX}.tflite"
        if status != 0 or not written.is_file() or not written.stat().st_size:
            raise _explain(status, said, limit_s)
        record = folder / f"{_NAME}{SUFFIX}.log"
        if "Status" not in said and record.is_file():
            said += record.read_text("utf-8", "replace")
        return written.read_bytes(), parse_log(said)


def advice(model: Path) -> list[str]:
    """What to run, and where, when there is no compiler here."""
    compiled = model.with_name(f"{model.stem}{SUFFIX}.tflite")
    where = (
        "install its package edgetpu-compiler"
        if platform.machine() in ("x86_64", "AMD64")
        else f"this is {platform.machine()}: take another machine, or a container of that kind"
    )
    return [
        f"{COMPILER} is not here, so nothing was compiled. It runs on x86-64 Debian and Ubuntu"
        f" only ({where}). There, run",
        f"    {COMPILER} -s -o . {shlex.quote(model.name)}",
        "and with the file that it writes, here, put labels, card and golden vectors in again:",
        f"    edgecls convert {shlex.quote(str(model))} --edgetpu"
        f" --compiled {shlex.quote(compiled.name)}",
    ]


def _run(
    command: list[str], folder: Path, limit_s: float, advance: Advance
) -> tuple[int | None, str]:
    """Exit status (None: killed for its time) and what it printed."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=without_secrets(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as wrong:
            raise EngineError(
                f"{command[0]} cannot be started: {wrong.strerror}",
                hint="it is a program for x86-64 Debian; see the page on Coral",
            ) from wrong
        try:
            status: int | None = None
            for _ in _every_second(process, started + limit_s):
                advance(round(time.monotonic() - started), "s")
            status = process.poll()
        finally:
            _kill_all(process)
        said.seek(max(0, said.seek(0, os.SEEK_END) - _MOST_LOG_BYTES))
        return status, said.read().decode("utf-8", "replace")


def _every_second(process: subprocess.Popen[bytes], end: float) -> Iterator[None]:
    """Wake up now and then until the process has ended or its time is over."""
    while (left := end - time.monotonic()) > 0:
        try:
            process.wait(min(1.0, left))
        except subprocess.TimeoutExpired:
            yield
        else:
            return


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    # The compiler works in a child of its own, which outlives it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _explain(status: int | None, said: str, limit_s: float) -> EngineError | ModelFileError:
    if status is None:
        return EngineError(
            f"{COMPILER} did not end within {limit_s:g} s and was stopped",
            hint="use a smaller network, or a faster machine",
        )
    if status < 0:
        return EngineError(
            f"{COMPILER} crashed ({signal.Signals(-status).name})",
            hint="run it by hand to see what it says: 'edgetpu_compiler -s model.tflite'",
        )
    problem, hint = find_failure(said)
    return ModelFileError(f"{COMPILER} cannot compile the model: {problem}", hint=hint)
