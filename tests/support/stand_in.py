"""Fixtures that put the stand-in for libedgetpu in its place; a conftest imports them by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecls.runtimes.coral import LIBRARY_VARIABLE
from tests.support.compiled_model import build_stand_in

StandIn = Callable[..., None]


@pytest.fixture(scope="session")
def stand_in_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in for libedgetpu, built once."""
    return build_stand_in(tmp_path_factory.mktemp("stand-in"))


@pytest.fixture
def stand_in(stand_in_library: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Puts the stand-in in the place of libedgetpu; called with what it shall do wrong."""
    monkeypatch.setenv(LIBRARY_VARIABLE, str(stand_in_library))

    def behave(mode: str = "works", **settings: Any) -> None:
        monkeypatch.setenv("STAND_IN_MODE", mode)
        for name, value in settings.items():
            monkeypatch.setenv(f"STAND_IN_{name.upper()}", str(value))

    return behave
