"""Against a real Mosquitto: it comes, goes, hangs and refuses, and the loop never notices."""

from __future__ import annotations

import dataclasses
import json
import resource
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecls.contract.conditions import DriftEvent
from edgecls.contract.events import ModelEvent, SourceEvent
from edgecls.contract.warning_event import WarningEvent
from edgecls.sinks.mqtt import MqttSink
from edgecls.sinks.mqtt.settings import MqttSettings, parse_broker
from tests.support.broker import HOST, Mosquitto, listening, wait_until
from tests.support.frames import change, prediction
from tests.support.patience import patience
from tests.support.tiny_model import write_tiny_model

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed: pip install 'edgecls[mqtt]'")

BASE = "edgecls/hall"
STATE, CHANGE, AVAILABILITY = (f"{BASE}/{name}" for name in ("state", "change", "availability"))
CONFIG = "homeassistant/device/edgecls_hall/config"
Open = Callable[..., MqttSink]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path)
    yield mosquitto.start()
    mosquitto.stop()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def open_sink(told: list[str]) -> Iterator[Open]:
    opened: list[MqttSink] = []

    def open_(address: str, password: str = "", **settings: Any) -> MqttSink:
        quick: dict[str, Any] = {"retry_s": (0.1, 0.4), "interval_s": 0.2, **settings}
        chosen = MqttSettings(parse_broker(f"{address}/{BASE}"), password, **quick)
        opened.append(MqttSink(chosen, ("cat", "dog"), "model.tflite", told.append))
        return opened[-1]

    yield open_
    for sink in opened:
        sink.close()


def address(broker: Mosquitto, scheme: str = "mqtt", user: str = "") -> str:
    return f"{scheme}://{user}{HOST}:{broker.port}"


def connected(sink: MqttSink) -> MqttSink:
    wait_until(lambda: sink.is_connected, "the sink is connected")
    return sink


class TestPublishing:
    def test_discovery_and_state_are_retained_for_those_who_come_later(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        sink = open_sink(address(broker))
        sink.handle(prediction(0, "cat", steady="cat"))
        wait_until(lambda: sink.counts["published"] >= 4, "all is published")
        with listening(broker.port) as listener:
            config = json.loads(listener.wait_for(CONFIG))
            state = json.loads(listener.wait_for(STATE))
            assert listener.wait_for(AVAILABILITY) == b"online"
            assert all(heard.is_retained for heard in listener.heard)
        entities = {"label", "score", "fps", "source", "drift", "trouble", "is_cat", "is_dog"}
        assert set(config["components"]) == entities
        assert (state["label"], state["label_id"], state["source"]) == ("cat", "is_cat", "ON")
        assert state["score_percent"] == 90.0

    def test_a_change_is_an_event_and_a_new_state_at_once(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        sink = connected(open_sink(address(broker), interval_s=60.0))
        sink.handle(prediction(0, "cat", steady="cat"))
        with listening(broker.port) as listener:
            sink.handle(change(1, "dog", "cat"))
            assert json.loads(listener.wait_for(CHANGE))["previous"] == "cat"
            listener.wait_for_part(STATE, b'"is_dog"')
            attributes = json.loads(listener.wait_for(f"{BASE}/attributes"))
            assert attributes["previous"] == "cat"
            assert attributes["predictions"][0]["label"] == "cat"  # of the frame before

    def test_while_the_label_stays_the_score_is_published_now_and_then(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        sink = connected(open_sink(address(broker), interval_s=0.3))
        with listening(broker.port) as listener:
            for number in range(60):
                sink.handle(prediction(number, "cat", steady="cat"))
                time.sleep(0.01)
            listener.wait_for(STATE)
            assert 2 <= len(listener.payloads(STATE)) < 12

    def test_a_lost_source_is_a_binary_sensor(self, broker: Mosquitto, open_sink: Open) -> None:
        sink = connected(open_sink(address(broker)))
        with listening(broker.port) as listener:
            sink.handle(SourceEvent("lost", 0.0, "/dev/video0", "unplugged"))
            listener.wait_for_part(STATE, b'"source": "OFF"')

    def test_drift_is_a_problem_that_says_which_statistics_it_is_about(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        sink = connected(open_sink(address(broker)))
        with listening(broker.port) as listener:
            dark = DriftEvent("drifting", 0.0, "brightness", 12.0, 120.0, 60.0, 180.0)
            sink.handle(dark)
            listener.wait_for_part(STATE, b'"drift": "ON"')
            listener.wait_for_part(f"{BASE}/drift", b'"statistic": "brightness", "seen": 12.0')
            sink.handle(dataclasses.replace(dark, state="back"))
            listener.wait_for_part(STATE, b'"drift": "OFF"')
            listener.wait_for_part(f"{BASE}/drift", b'{"drifting": []}')

    def test_a_frozen_camera_is_a_problem_until_it_is_over(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        sink = connected(open_sink(address(broker)))
        with listening(broker.port) as listener:
            frozen = WarningEvent("frozen", "begin", 0.0, "/dev/video0", 10.0, "all the same")
            sink.handle(frozen)
            listener.wait_for_part(STATE, b'"trouble": "ON"')
            listener.wait_for_part(f"{BASE}/trouble", b'"trouble": "frozen", "state": "begin"')
            sink.handle(dataclasses.replace(frozen, state="end", reason=""))
            listener.wait_for_part(STATE, b'"trouble": "OFF"')
            listener.wait_for_part(f"{BASE}/trouble", b'{"troubles": []}')

    def test_home_assistant_that_starts_is_told_again(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        sink = connected(open_sink(address(broker)))
        wait_until(lambda: sink.waiting == 0, "all is published")
        with listening(broker.port) as listener:
            listener.heard.clear()
            listener.publish("homeassistant/status", "online")
            listener.wait_for(CONFIG)
            listener.wait_for(AVAILABILITY, b"online")

    def test_labels_of_another_model_replace_the_old_ones(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        sink = connected(open_sink(address(broker)))
        with listening(broker.port) as listener:
            sink.handle(ModelEvent("loaded", 0.0, "new.tflite", "", ("dog", "owl")))
            components = json.loads(listener.wait_for_part(CONFIG, b"is_owl"))["components"]
        assert components["is_cat"] == {"platform": "binary_sensor"}
        assert "unique_id" in components["is_dog"]

    def test_without_a_prefix_home_assistant_is_told_nothing(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        sink = connected(open_sink(address(broker), discovery_prefix=""))
        wait_until(lambda: sink.counts["published"] >= 1, "we are online")
        with listening(broker.port) as listener:
            listener.wait_for(AVAILABILITY)
            assert {heard.topic for heard in listener.heard} == {AVAILABILITY}

    def test_a_clean_end_is_offline(self, broker: Mosquitto, open_sink: Open) -> None:
        with listening(broker.port) as listener:
            sink = connected(open_sink(address(broker)))
            listener.wait_for(AVAILABILITY, b"online")
            sink.close()
            listener.wait_for(AVAILABILITY, b"offline")

    def test_an_old_will_that_comes_late_is_contradicted(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        connected(open_sink(address(broker)))
        with listening(broker.port) as listener:
            listener.publish(AVAILABILITY, "offline")
            wait_until(
                lambda: listener.payloads(AVAILABILITY)[-2:] == [b"offline", b"online"],
                "it is online again",
            )


class TestOutages:
    @pytest.mark.fault(80)
    def test_a_broker_that_is_down_at_the_start_is_connected_to_later(
        self, broker: Mosquitto, open_sink: Open, told: list[str]
    ) -> None:
        broker.stop()
        sink = open_sink(address(broker))
        sink.handle(prediction(0, "cat", steady="cat"))
        sink.handle(change(0, "cat"))
        wait_until(lambda: sink.attempts >= 3, "it was tried three times")
        broker.start()
        with listening(broker.port) as listener:
            assert json.loads(listener.wait_for(STATE))["label"] == "cat"
        wait_until(lambda: sink.waiting == 0, "the change is published, too")
        assert sink.counts["errors"] == 0
        name = f"mqtt {HOST}:{broker.port}"
        assert told == [
            f"{name}: Connection refused; classifying goes on, trying again",
            f"{name}: connected",
        ]

    @pytest.mark.fault(81)
    def test_a_broker_that_comes_back_empty_is_told_everything_again(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        sink = connected(open_sink(address(broker)))
        sink.handle(prediction(0, "cat", steady="cat"))
        for number in range(2):
            broker.stop()
            wait_until(lambda: not sink.is_connected, "the loss is noticed")
            sink.handle(change(number, "dog", "cat"))
            broker.start()
            connected(sink)
        with listening(broker.port) as listener:
            assert b"is_cat" in listener.wait_for(CONFIG)
            assert json.loads(listener.wait_for(STATE))["label"] == "dog"
            listener.wait_for(AVAILABILITY, b"online")

    @pytest.mark.fault(82)
    def test_a_broker_that_hangs_costs_no_memory_and_no_time(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        sink = connected(open_sink(address(broker), keepalive_s=1))
        wait_until(lambda: sink.waiting == 0, "all is published")
        broker.freeze()
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        slowest_s = 0.0
        for number in range(20_000):
            start = time.monotonic()
            sink.handle(change(number, "dog", "cat"))
            slowest_s = max(slowest_s, time.monotonic() - start)
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
        assert sink.waiting <= 1000 + 4  # changes, and one message for each state
        assert sink.counts["errors"] >= 20_000 - 1000 - 20
        assert grown_kb < 4_000  # paho's own queue grows by 1.3 kB an event
        assert slowest_s < patience(0.5)
        wait_until(lambda: not sink.is_connected, "the silence is noticed", 10.0)
        broker.thaw()
        connected(sink)
        wait_until(lambda: sink.waiting == 0, "what waited is published")

    @pytest.mark.fault(82)
    def test_a_broker_that_takes_the_connection_and_says_nothing(
        self, broker: Mosquitto, open_sink: Open
    ) -> None:
        broker.freeze()
        sink = open_sink(address(broker))
        wait_until(lambda: sink.attempts == 1, "it is tried")
        start = time.monotonic()
        sink.close()
        assert time.monotonic() - start < patience(1.5)


class TestSecurity:
    @pytest.fixture
    def guarded(self, tmp_path: Path) -> Iterator[Mosquitto]:
        """A broker that knows `me` with the password `right`."""
        passwords = tmp_path / "passwords"
        made = subprocess.run(
            ["mosquitto_passwd", "-c", "-b", str(passwords), "me", "right"],
            capture_output=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        passwords.chmod(0o644)
        mosquitto = Mosquitto(tmp_path, f"password_file {passwords}", is_open=False)
        yield mosquitto.start()
        mosquitto.stop()

    def test_the_right_password_opens(self, guarded: Mosquitto, open_sink: Open) -> None:
        connected(open_sink(address(guarded, user="me@"), "right"))

    @pytest.mark.fault(83)
    def test_a_wrong_password_is_told_once_and_makes_no_storm(
        self, guarded: Mosquitto, open_sink: Open, told: list[str]
    ) -> None:
        sink = open_sink(address(guarded, user="me@"), "hunter2", retry_s=(0.01, 5.0))
        wait_until(lambda: bool(told), "it is told")
        time.sleep(1.0)
        assert sink.attempts == 1  # after a refusal comes the longest wait, not the shortest
        assert told == [
            f"mqtt {HOST}:{guarded.port}: it refuses us: Not authorized;"
            " classifying goes on, trying again"
        ]

    @pytest.fixture
    def certificates(self, tmp_path: Path) -> Path:
        """A folder with `ca.pem`, and `key.pem` and `cert.pem` that it vouches for."""
        for command in (
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key"
            " -out ca.pem -subj /CN=test -days 2",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem"
            f" -out request.pem -subj /CN={HOST} -addext subjectAltName=IP:{HOST}",
            "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem"
            " -days 2 -copy_extensions copy",
        ):
            done = subprocess.run(
                ["openssl", *command.split()], cwd=tmp_path, capture_output=True, check=False
            )
            if done.returncode:
                pytest.skip(f"openssl cannot make certificates: {done.stderr[-200:]!r}")
        (tmp_path / "key.pem").chmod(0o644)
        return tmp_path

    @pytest.fixture
    def encrypted(self, tmp_path: Path, certificates: Path) -> Iterator[Mosquitto]:
        lines = (f"certfile {certificates}/cert.pem", f"keyfile {certificates}/key.pem")
        mosquitto = Mosquitto(tmp_path, *lines)
        yield mosquitto.start()
        mosquitto.stop()

    def test_tls_with_a_ca_of_our_own(
        self, encrypted: Mosquitto, certificates: Path, open_sink: Open
    ) -> None:
        sink = open_sink(address(encrypted, "mqtts"), ca_file=certificates / "ca.pem")
        connected(sink)
        for number in range(30):
            sink.handle(change(number, "dog", "cat"))
        wait_until(lambda: sink.waiting == 0, "all is published")

    def test_a_broker_whose_certificate_nobody_vouches_for_is_not_talked_to(
        self, encrypted: Mosquitto, open_sink: Open, told: list[str]
    ) -> None:
        sink = open_sink(address(encrypted, "mqtts"))
        wait_until(lambda: bool(told), "it is told")
        assert "its certificate is not trusted" in told[0]
        assert "--mqtt-ca" in told[0]
        assert not sink.is_connected

    def test_a_ca_file_that_is_none(self, tmp_path: Path, open_sink: Open) -> None:
        (tmp_path / "ca.pem").write_text("no certificate")
        with pytest.raises((OSError, ssl.SSLError), match="cannot be read"):
            open_sink(f"mqtts://{HOST}:1", ca_file=tmp_path / "ca.pem")


class TestProcess:
    @pytest.fixture
    def camera(self, tmp_path: Path, broker: Mosquitto) -> Iterator[subprocess.Popen[bytes]]:
        write_tiny_model(tmp_path / "model.tflite")
        source = "fake:colors?fps=20&loop=1"
        command = ["camera", "--model", str(tmp_path / "model.tflite"), "--source", source]
        with subprocess.Popen(
            [sys.executable, "-m", "edgecls", *command, "--mqtt", f"{address(broker)}/{BASE}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            yield process
            process.kill()

    @pytest.mark.fault(84)
    @pytest.mark.parametrize(
        "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name
    )
    def test_the_board_is_offline_however_it_ends(
        self, broker: Mosquitto, camera: subprocess.Popen[bytes], number: signal.Signals
    ) -> None:
        with listening(broker.port) as listener:
            listener.wait_for(AVAILABILITY, b"online", 15.0)
            listener.wait_for(STATE, seconds=15.0)
            camera.send_signal(number)
            listener.wait_for(AVAILABILITY, b"offline")

    @pytest.mark.fault(84)
    def test_a_board_that_hangs_is_offline_after_one_and_a_half_keepalives(
        self, broker: Mosquitto
    ) -> None:
        script = (
            "import time\n"
            "from edgecls.sinks.mqtt import MqttSink\n"
            "from edgecls.sinks.mqtt.settings import MqttSettings, parse_broker\n"
            f"broker = parse_broker('{address(broker)}/{BASE}')\n"
            "sink = MqttSink(MqttSettings(broker, keepalive_s=2), ('cat', 'dog'))\n"
            "time.sleep(60)\n"
        )
        with (
            listening(broker.port) as listener,
            subprocess.Popen([sys.executable, "-c", script]) as process,
        ):
            try:
                listener.wait_for(AVAILABILITY, b"online", 15.0)
                process.send_signal(signal.SIGSTOP)
                # Mosquitto looks at its clients every five seconds.
                listener.wait_for(AVAILABILITY, b"offline", 2 * 1.5 + 5.0 + 2.0)
            finally:
                process.kill()
