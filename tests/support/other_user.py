"""A second user of this machine, who is trusted with nothing; only root can be somebody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

UID: Final = 61_234  # no distribution gives it to anybody


@pytest.fixture
def shared_place() -> Iterator[Path]:
    """A folder of root's that everybody can enter; skips where the tests do not run as root."""
    if os.geteuid() != 0:
        pytest.skip("only root can do something as another user")
    # Not below pytest's own folder, which nobody else can enter.
    place = Path(tempfile.mkdtemp(prefix="edgecls-test-", dir="/var/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def as_other(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of the shell as the other user."""
    return subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        user=UID,
        group=UID,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


def give(path: Path, mode: int) -> Path:
    """A folder that is the other user's."""
    path.mkdir()
    os.chown(path, UID, UID)
    path.chmod(mode)
    return path
