"""OpenCV that cannot be loaded, as on a board without libGL: `edgecls.imaging.opencv`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", [("cameras",), ("classify", "--model", "m.tflite", "p.jpg")])
def test_a_library_that_the_system_lacks_is_named_with_the_package_that_has_it(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    problem = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({problem!r})\n")
    done = subprocess.run(
        [sys.executable, "-m", "edgecls", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1
    first, hint = done.stderr.splitlines()
    assert first == f"error: OpenCV cannot be loaded: {problem}"
    assert "sudo apt install libgl1 libglib2.0-0" in hint
