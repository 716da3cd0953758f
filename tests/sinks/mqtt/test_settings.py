"""Addresses, passwords and ids: nothing odd becomes a topic, and no password is shown."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from edgecls.errors import EdgeclsError, NotInstalledError, SinkError
from edgecls.sinks.mqtt import MqttSink
from edgecls.sinks.mqtt.settings import (
    Broker,
    MqttSettings,
    load_password,
    parse_broker,
    slug,
    slugs_of,
)


@pytest.mark.parametrize(
    ("text", "broker"),
    [
        pytest.param("mqtt://pi/a", Broker("pi", 1883, "a"), id="the usual port"),
        pytest.param("mqtts://pi/a", Broker("pi", 8883, "a", True), id="with TLS another one"),
        pytest.param("mqtt://pi:99/a/b/", Broker("pi", 99, "a/b"), id="a port and two levels"),
        pytest.param("mqtt://me@pi/a", Broker("pi", 1883, "a", user="me"), id="a user"),
        pytest.param("mqtt://m%40e@pi/a", Broker("pi", 1883, "a", user="m@e"), id="an odd user"),
        pytest.param("mqtt://[::1]:99/a", Broker("::1", 99, "a"), id="IPv6"),
        pytest.param("mqtt://pi/k%C3%BCche", Broker("pi", 1883, "küche"), id="other letters"),
    ],
)
def test_an_address_is_read(text: str, broker: Broker) -> None:
    assert parse_broker(text) == broker


def test_without_a_topic_the_board_is_named() -> None:
    assert re.fullmatch(r"edgecls/[a-z0-9_]+", parse_broker("mqtt://pi").base)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("http://pi", "is not mqtt:// or mqtts://"),
        ("pi:1883", "is not mqtt:// or mqtts://"),
        ("mqtt:///topic", "has no host"),
        ("mqtt://pi:99999", "odd host or port"),
        ("mqtt://pi:x", "odd host or port"),
        ("mqtt://[::1/x", "odd host or port"),
        ("mqtt://" + "a" * 64 + "/x", "odd host or port"),
        ("mqtt://p i/x", "odd host or port"),
        ("mqtt://\u2024.example/x", "odd host or port"),
        ("mqtt://pi:0/x", "no port that can be"),
        ("mqtt://me%0d@pi/x", "odd letters"),
        ("mqtt://pi/\udcff", "cannot be published to"),
        ("mqtt://pi/%ff", "cannot be published to"),
        ("mqtt://pi/a?tls=1", "more than a topic"),
        ("mqtt://pi/a/#", "more than a topic"),
        ("mqtt://pi/a/%23", "cannot be published to"),
        ("mqtt://pi/+/a", "cannot be published to"),
        ("mqtt://pi/a//b", "cannot be published to"),
        ("mqtt://pi/$SYS", "cannot be published to"),
        ("mqtt://pi/a%00b", "cannot be published to"),
        ("mqtt://pi/" + "a" * 300, "cannot be published to"),
    ],
    ids=lambda text: text[:30],
)
def test_an_odd_address_is_refused(text: str, problem: str) -> None:
    with pytest.raises(SinkError, match=problem):
        parse_broker(text)


@pytest.mark.fault(61)
@pytest.mark.parametrize(
    "text",
    ["mqtt://me:hunter2@pi", "http://me:hunter2@pi", "mqtt://me:hunter2@pi:x/a"],
    ids=["a good address", "another scheme", "an odd port"],
)
def test_a_password_in_an_address_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(SinkError) as refused:
        parse_broker(text)
    assert "hunter2" not in str(refused.value)


class TestPassword:
    def test_a_file_without_its_line_end(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        path.write_text("hunter 2\n")
        path.chmod(0o600)
        assert load_password(path, {}) == ("hunter 2", "")

    def test_a_file_that_everyone_can_read_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        path.write_text("hunter2")
        path.chmod(0o644)
        assert load_password(path, {}) == ("hunter2", f"everyone can read '{path}': chmod 600 it")

    def test_the_environment(self) -> None:
        assert load_password(None, {"EDGECLS_MQTT_PASSWORD": "hunter2"}) == ("hunter2", "")

    def test_none_at_all(self) -> None:
        assert load_password(None, {}) == ("", "")

    def test_from_the_credentials_of_a_service(self, tmp_path: Path) -> None:
        (tmp_path / "mqtt-password").write_text("hunter2\n")
        (tmp_path / "mqtt-password").chmod(0o400)
        service = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
        assert load_password(None, service) == ("hunter2", "")
        said = {**service, "EDGECLS_MQTT_PASSWORD": "other"}
        assert load_password(None, said) == ("other", "")

    def test_a_service_without_one(self, tmp_path: Path) -> None:
        assert load_password(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == ("", "")
        (tmp_path / "mqtt-password").write_text("\n")
        assert load_password(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)})[0] == ""

    def test_a_file_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(SinkError, match="there is no file"):
            load_password(tmp_path / "secret", {})

    @pytest.mark.fault(61)
    def test_it_is_not_shown_with_the_settings(self) -> None:
        settings = MqttSettings(parse_broker("mqtt://me@pi/a"), "hunter2")
        assert "hunter2" not in repr(settings)

    def test_without_a_user_it_is_of_no_use(self) -> None:
        with pytest.raises(EdgeclsError, match="its address names no user"):
            MqttSettings(parse_broker("mqtt://pi/a"), "hunter2")


def test_without_paho_it_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(NotInstalledError, match="needs paho-mqtt 2") as told:
        MqttSink(MqttSettings(parse_broker("mqtt://pi/a")), ["cat", "dog"])
    assert told.value.hint == "pip install 'edgecls[mqtt]'"


class TestIds:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("Cat", "cat"),
            ("level 7", "level_7"),
            ("Käfer/Bug", "kafer_bug"),
            ("a+b#c", "a_b_c"),
            ("猫", ""),
            ("x" * 100, "x" * 64),
        ],
    )
    def test_letters_digits_and_underscores(self, text: str, found: str) -> None:
        assert slug(text) == found

    def test_labels_that_look_the_same_get_different_ids(self) -> None:
        assert slugs_of(("a b", "a-b", "猫", "犬", "a_b_1")) == {
            "a b": "a_b",
            "a-b": "a_b_1",
            "猫": "label_2",
            "犬": "label_3",
            "a_b_1": "a_b_1_4",
        }
