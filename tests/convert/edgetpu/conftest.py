"""A stub in the place of edgetpu_compiler, which is on no machine of ours."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Stub = Callable[..., Path]

_SCRIPT = """#!{python} -S
import os, signal, subprocess, sys, time
open({calls!r}, "w").write("\\n".join(sys.argv[1:]))
print({log!r}, end="")
sys.stdout.flush()
if {mode!r} == "hangs":
    child = subprocess.Popen(["sleep", "1000"])
    open({calls!r} + ".child", "w").write(str(child.pid))
    time.sleep(1000)
if {mode!r} == "crashes":
    os.kill(os.getpid(), signal.SIGSEGV)
if {compiled!r}:
    content = open({compiled!r}, "rb").read()
    open("model_edgetpu.tflite", "wb").write(content)
sys.exit({status})
"""


@pytest.fixture
def stub_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Puts a compiler on PATH; called with what it prints, writes and does."""

    def install(
        log: str, compiled: Path | None = None, status: int = 0, mode: str = "works"
    ) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        calls = folder / "arguments"
        script = folder / "edgetpu_compiler"
        script.write_text(
            _SCRIPT.format(
                python=sys.executable,
                calls=str(calls),
                log=log,
                mode=mode,
                compiled=str(compiled or ""),
                status=status,
            )
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return calls

    return install


@pytest.fixture
def no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without edgetpu_compiler."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
