"""Which board: what may be written for it, and the ssh command that comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.deploy.target import Target
from edgecls.errors import InvalidValueError


@pytest.mark.parametrize(
    "host",
    [
        *("pi@raspberrypi.local", "raspberrypi", "192.168.1.20", "pi@fe80::1%eth0", "pi@[::1]"),
        *("first.last@board-2", "a_name.of.ssh-config"),
    ],
)
def test_a_board(host: str) -> None:
    assert Target(host).command("true")[-3:] == ["--", host, "true"]


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("", id="nothing"),
        pytest.param("-oProxyCommand=reboot", id="an option"),
        pytest.param("pi@-oProxyCommand=reboot", id="an option behind a user"),
        pytest.param("-pi@board", id="an option before a board"),
        pytest.param("pi@board; reboot", id="a command of the shell"),
        pytest.param("$(reboot)", id="another one"),
        pytest.param("pi@board\n", id="a line end"),
        pytest.param("a@b@c", id="two users"),
        pytest.param("pi@board/tmp", id="a path"),
    ],
)
def test_no_board(host: str) -> None:
    with pytest.raises(InvalidValueError, match="is no board that ssh can reach"):
        Target(host)


def test_port_and_key_are_options_before_the_board(tmp_path: Path) -> None:
    key = tmp_path / "a key"
    key.write_text("")
    command = list(Target("pi@board", 2222, key).command("true"))
    assert command[-7:] == ["-p", "2222", "-i", str(key), "--", "pi@board", "true"]
    assert "-T" in command
