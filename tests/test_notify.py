"""What is said to systemd, and how often a start may fail before the next one waits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecls.notify import Notifier, Starts, tell_status
from tests.support.service_manager import ServiceManager, listening


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with listening(tmp_path) as listener:
        yield listener


class TestMessages:
    @pytest.mark.parametrize("kind", ["path", "abstract"])
    def test_fields_arrive_in_one_message(self, tmp_path: Path, kind: str) -> None:
        address = str(tmp_path / "n") if kind == "path" else f"@edgecls-test-{os.getpid()}"
        manager = ServiceManager(address)
        notifier = Notifier(address)
        notifier.tell(READY=1, STATUS="cat")
        assert manager.hear_all() == [{"READY": "1", "STATUS": "cat"}]
        notifier.close()
        manager.close()

    def test_a_value_cannot_add_a_field(self, manager: ServiceManager) -> None:
        Notifier(manager.address).tell(STATUS="cat\nWATCHDOG=1")
        assert manager.hear_all() == [{"STATUS": r"cat\nWATCHDOG=1"}]

    def test_a_long_status_is_cut(self, manager: ServiceManager) -> None:
        Notifier(manager.address).tell(STATUS="x" * 10_000)
        assert manager.hear_all() == [{"STATUS": "x" * 300}]

    def test_a_manager_that_is_gone_is_no_error(self, tmp_path: Path) -> None:
        Notifier(str(tmp_path / "nobody")).tell(READY=1)

    @pytest.mark.parametrize(
        "environment",
        [
            pytest.param({}, id="no service"),
            pytest.param({"NOTIFY_SOCKET": ""}, id="an empty name"),
            pytest.param({"NOTIFY_SOCKET": "vsock:2:9"}, id="the host of a virtual machine"),
        ],
    )
    def test_there_is_nobody_to_tell(self, environment: dict[str, str]) -> None:
        assert Notifier.from_environment(environment) is None
        tell_status("lost", environment)

    def test_a_status_alone(self, manager: ServiceManager) -> None:
        tell_status("error: no camera", {"NOTIFY_SOCKET": manager.address})
        assert manager.hear_all() == [{"STATUS": "error: no camera"}]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        pytest.param({}, None, id="nothing is watched"),
        pytest.param({"WATCHDOG_USEC": "30000000"}, 30.0, id="30 s"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="switched off"),
        pytest.param({"WATCHDOG_USEC": "soon"}, None, id="no number"),
        pytest.param({"WATCHDOG_USEC": "5", "WATCHDOG_PID": str(os.getpid())}, 5e-6, id="it is us"),
        pytest.param({"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}, None, id="it is another"),
    ],
)
def test_how_long_the_watchdog_waits(environment: dict[str, str], seconds: float | None) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": "/nobody", **environment})
    assert notifier is not None
    assert notifier.watchdog_s == seconds


class TestStarts:
    def test_two_are_free_and_then_each_waits_twice_as_long(self, tmp_path: Path) -> None:
        waits = [Starts(tmp_path).count() for _ in range(10)]
        assert waits == [
            *((1, 0), (2, 0), (3, 2), (4, 4), (5, 8), (6, 16), (7, 32)),
            *((8, 60), (9, 60), (10, 60)),
        ]

    def test_one_that_ran_well_ends_the_row(self, tmp_path: Path) -> None:
        starts = Starts(tmp_path)
        for _ in range(5):
            starts.count()
        starts.forget()
        assert starts.count() == (1, 0)

    @pytest.mark.parametrize("content", ["", "many", "\0"])
    def test_a_count_that_cannot_be_read_begins_anew(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "starts").write_text(content)
        assert Starts(tmp_path).count() == (1, 0)

    def test_a_folder_that_is_gone_is_no_error(self, tmp_path: Path) -> None:
        starts = Starts(tmp_path / "gone")
        assert starts.count() == (1, 0)
        starts.forget()

    @pytest.mark.parametrize(
        ("environment", "is_there"),
        [
            ({}, False),
            ({"RUNTIME_DIRECTORY": "/run/x"}, False),
            ({"NOTIFY_SOCKET": "/n"}, False),
            ({"NOTIFY_SOCKET": "/n", "RUNTIME_DIRECTORY": "/run/x:/run/y"}, True),
        ],
        ids=["no service", "another program's", "no folder", "systemd's"],
    )
    def test_only_a_service_counts(self, environment: dict[str, str], is_there: bool) -> None:
        assert (Starts.from_environment(environment) is not None) == is_there
