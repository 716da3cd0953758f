"""What tests of several rooms share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.power import Disk, NoPowerError

# A bug that is told in one friendly line would pass for a refusal: here it is a crash. Set before
# the modules of tests are imported, some of which keep a copy of the environment.
os.environ["EDGECLS_STRICT"] = "1"


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the cache of the user who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGECLS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _hears_ctrl_c() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would commands under test."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with real models and pictures that others made."""
    place = os.environ.get("EDGECLS_DATA")
    if not place:
        pytest.skip("EDGECLS_DATA is not set: it names the folder with real models and pictures")
    folder = Path(place).resolve()
    if not folder.is_dir():
        pytest.skip(f"EDGECLS_DATA names {place!r}, which is no folder")
    return folder


@pytest.fixture
def ext4_disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk with a volatile cache, whose power can be cut."""
    try:
        disk = Disk(tmp_path)
    except NoPowerError as wrong:
        pytest.skip(f"no disk can be made here: {wrong}")
    yield disk
    disk.close()
