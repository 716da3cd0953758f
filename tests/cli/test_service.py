"""`edgecls camera` as systemd runs it, with an ear in systemd's place."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.patience import patience
from tests.support.service_manager import ServiceManager, listening

LIVE = "fake:colors?fps=50&loop=1"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with listening(tmp_path) as listener:
        yield listener


@contextlib.contextmanager
def service(
    manager: ServiceManager, folder: Path, *arguments: object
) -> Iterator[subprocess.Popen[str]]:
    """`edgecls camera` with the variables that systemd sets; a watchdog of 4 s."""
    environment = {
        **os.environ,
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": "4000000",
        "RUNTIME_DIRECTORY": str(folder),
    }
    words = [sys.executable, "-m", "edgecls", "camera", *map(str, arguments)]
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_it_is_ready_alive_and_says_when_it_stops(
    manager: ServiceManager, model: Path, tmp_path: Path
) -> None:
    with service(manager, tmp_path, "--model", model, "--source", LIVE) as process:
        first = manager.wait_for("READY", "1")
        assert first[0]["STATUS"] == "loading the model"
        manager.wait_for("WATCHDOG", "1")
        status = manager.wait_for("STATUS", "frames a second")[-1]["STATUS"]
        assert status.startswith("level ")
        process.send_signal(signal.SIGTERM)
        assert manager.wait_for("STOPPING", "1")[-1]["STATUS"] == "stopping"
        assert process.wait(patience(10.0)) == 0


def test_a_camera_that_hangs_feeds_the_watchdog_no_more(
    manager: ServiceManager, model: Path, tmp_path: Path
) -> None:
    source = "fake:colors?fps=50&loop=1&hang=10"
    wishes = ("--source", source, "--source-timeout", "60")
    with service(manager, tmp_path, "--model", model, *wishes) as process:
        manager.wait_for("READY", "1")
        time.sleep(1.0)
        manager.hear_all()
        time.sleep(2.5)  # more than twice the time between two messages
        assert not any("WATCHDOG" in message for message in manager.hear_all())
        assert process.poll() is None


def test_a_camera_that_hangs_up_gets_patience_until_it_is_back(
    manager: ServiceManager, model: Path, tmp_path: Path
) -> None:
    source = "fake:colors?fps=50&loop=1&close=60"
    with service(manager, tmp_path, "--model", model, "--source", source):
        manager.wait_for("READY", "1")
        lost = manager.wait_for("STATUS", "no picture: ")[-1]
        assert (lost["WATCHDOG_USEC"], "WATCHDOG" in lost) == ("40000000", False)
        assert manager.wait_for("WATCHDOG_USEC")[-1]["WATCHDOG_USEC"] == "4000000"


def test_why_it_cannot_start_is_told_too(manager: ServiceManager, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"")
    with service(manager, tmp_path, "--model", tmp_path / "m.tflite") as process:
        status = manager.wait_for("STATUS", "error: ")[-1]["STATUS"]
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.splitlines()[0] == status


def test_a_start_waits_when_others_came_to_nothing(
    manager: ServiceManager, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "starts").write_text("2")
    with service(manager, tmp_path, "--model", model, "--source", LIVE):
        status = manager.wait_for("STATUS")[-1]["STATUS"]
        assert status == "2 starts in a row came to nothing: waiting 2 s"
        manager.wait_for("READY", "1")
    assert (tmp_path / "starts").read_text() == "3"


@pytest.mark.parametrize("option", [("--fps", "0.5"), ("--motion", "--idle-fps", "0.5")])
def test_a_loop_that_is_to_be_slow_is_given_more_time(
    manager: ServiceManager, model: Path, tmp_path: Path, option: tuple[str, ...]
) -> None:
    with service(manager, tmp_path, "--model", model, "--source", LIVE, *option):
        assert manager.wait_for("READY", "1")[-1]["WATCHDOG_USEC"] == "6000000"  # 3 times 2 s
