"""What child processes inherit: what they need to run, and no secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecls.child import Child
from edgecls.child.environment import for_strangers, without_secrets

NEEDED = {
    "PATH": "/usr/bin",
    "PWD": "/home/pi",
    "OLDPWD": "/",
    "DISPLAY": ":0",
    "XAUTHORITY": "/home/pi/.Xauthority",
    "SSH_AUTH_SOCK": "/run/agent",
    "SSH_ASKPASS": "/usr/bin/askpass",
    "GPIO_PIN": "17",
    "LD_LIBRARY_PATH": "/opt/lib",
    "http_proxy": "http://proxy:3128",
    "EDGECLS_CACHE": "/var/cache",
}


@pytest.mark.fault(113)
@pytest.mark.parametrize(
    "name",
    "EDGECLS_MQTT_PASSWORD EDGECLS_MQTT_PASSWORD_FILE edgecls_source_password HASS_TOKEN PGPASSWORD"
    " MYSQL_PWD SSHPASS RESTIC_PASSWORD2 AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID OPENAI_API_KEY"
    " CREDENTIALS_DIRECTORY BASIC_AUTH GITHUB_PAT NOTIFY_SOCKET WATCHDOG_USEC".split(),
)
def test_a_secret_is_not_inherited(name: str) -> None:
    assert without_secrets(environment={name: "x"}) == {}


@pytest.mark.fault(113)
@pytest.mark.parametrize(
    "value",
    [
        "mqtt://me:secret@host/x",
        "http://token@host",
        "redis://:secret@host",
        "amqp://me:se/cr?et@host",
    ],
)
def test_neither_is_an_address_with_a_login(value: str) -> None:
    assert without_secrets(environment={"BROKER": value}) == {}


def test_what_programs_need_is_inherited() -> None:
    assert without_secrets(environment=NEEDED) == NEEDED


def test_a_program_of_the_user_is_told_nothing_of_ours() -> None:
    assert for_strangers(NEEDED) == {k: v for k, v in NEEDED.items() if k != "EDGECLS_CACHE"}


@pytest.mark.fault(113)
def test_a_child_has_the_secrets_that_it_needs_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("EDGECLS_SOURCE_PASSWORD", "of the camera")
    monkeypatch.setenv("EDGECLS_MQTT_PASSWORD", "of the broker")
    child = Child("tests.support.odd_child", {"does": "echo"}, secrets=("EDGECLS_SOURCE_PASSWORD",))
    child.receive(30.0)  # it runs by now
    try:
        with open(f"/proc/{child.pid}/environ", "rb") as file:
            inherited = os.fsdecode(file.read()).split("\0")
    finally:
        child.close()
    assert "EDGECLS_SOURCE_PASSWORD=of the camera" in inherited
    assert not any("of the broker" in each for each in inherited)
