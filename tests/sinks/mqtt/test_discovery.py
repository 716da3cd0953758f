"""Discovery messages against what Home Assistant documents, field by field.

Source of the tables: Home Assistant's documentation of "MQTT" (device discovery payload, origin,
availability), "MQTT sensor" and "MQTT binary sensor", and its configuration schemas of the same.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from edgecls.sinks.mqtt.discovery import Topics, describe_device, label_components

TOPICS: Final = Topics("edgecls/hall")
SHARED: Final = frozenset({"device", "origin", "components", "availability", "state_topic", "qos"})
DEVICE: Final = frozenset(
    "configuration_url connections hw_version identifiers manufacturer model model_id name"
    " serial_number suggested_area sw_version via_device".split()
)
ORIGIN: Final = frozenset({"name", "sw_version", "support_url"})
ENTITY: Final = frozenset(
    "platform name unique_id default_entity_id icon entity_category enabled_by_default"
    " entity_picture availability availability_mode availability_template availability_topic"
    " payload_available payload_not_available json_attributes_topic json_attributes_template"
    " qos encoding state_topic value_template expire_after force_update device_class".split()
)
OWN: Final = {
    "sensor": ENTITY
    | {"options", "state_class", "suggested_display_precision", "unit_of_measurement"}
    | {"last_reset_value_template"},
    "binary_sensor": ENTITY | {"off_delay", "payload_on", "payload_off"},
}
STATE_KEYS: Final = frozenset(
    {"label", "label_id", "score_percent", "fps", "source", "drift", "trouble"}
)
LABELS: Final = {
    "two": ("cat", "dog"),
    "odd ones": ("a'b", "{{ 7 * 7 }}", "two\nlines", "猫", "x" * 300),
    "a thousand": tuple(f"class {number}" for number in range(1000)),
}


@pytest.fixture(params=LABELS)
def labels(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return LABELS[request.param]


@pytest.fixture
def payload(labels: tuple[str, ...]) -> dict[str, Any]:
    """As it comes out of JSON, as Home Assistant reads it."""
    described = describe_device(TOPICS, labels, "model.tflite", "0.1.0")
    loaded: dict[str, Any] = json.loads(json.dumps(described))
    return loaded


def test_the_topic_has_the_documented_form() -> None:
    topic = Topics("küche/pi 4").discovery("homeassistant")
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic)


def test_only_documented_fields(payload: dict[str, Any]) -> None:
    assert set(payload) <= SHARED
    assert set(payload["device"]) <= DEVICE
    assert set(payload["origin"]) <= ORIGIN
    for component in payload["components"].values():
        assert set(component) <= OWN[component["platform"]]


def test_what_is_required_is_there(payload: dict[str, Any]) -> None:
    assert payload["device"]["identifiers"]
    assert payload["device"]["name"]
    assert payload["origin"]["name"] == "edgecls"
    assert payload["state_topic"] == "edgecls/hall/state"
    assert all(c["unique_id"] and c["platform"] for c in payload["components"].values())


def test_ids_are_distinct_and_plain(payload: dict[str, Any]) -> None:
    ids = [component["unique_id"] for component in payload["components"].values()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9_]+", found) for found in [*ids, *payload["components"]])


def test_availability_is_the_topic_of_the_last_will(payload: dict[str, Any]) -> None:
    assert payload["availability"] == [{"topic": "edgecls/hall/availability"}]


def test_templates_use_what_is_published_and_nothing_of_a_label(payload: dict[str, Any]) -> None:
    for component in payload["components"].values():
        template = component["value_template"]
        assert set(re.findall(r"value_json\.(\w+)", template)) <= STATE_KEYS
        assert re.fullmatch(r"\{\{ [a-zA-Z0-9_.' =]+ \}\}", template)


def test_an_enumeration_has_no_unit_and_every_state(payload: dict[str, Any]) -> None:
    label = payload["components"]["label"]
    assert "unit_of_measurement" not in label
    assert "state_class" not in label
    if label.get("device_class") == "enum":
        assert "unknown" in label["options"]
        assert all(len(option) <= 255 for option in label["options"])
        assert len(set(label["options"])) == len(label["options"])


def test_a_binary_sensor_for_each_of_a_few_labels() -> None:
    described = describe_device(TOPICS, ("cat", "dog"), "m", "0")
    assert described["components"]["is_cat"] == {
        "platform": "binary_sensor",
        "name": "cat",
        "value_template": "{{ 'ON' if value_json.label_id == 'is_cat' else 'OFF' }}",
        "unique_id": "edgecls_hall_is_cat",
    }


def test_none_for_each_of_a_thousand() -> None:
    assert label_components(LABELS["a thousand"]) == {}
    described = describe_device(TOPICS, LABELS["a thousand"], "m", "0")
    entities = ["label", "score", "fps", "source", "drift", "trouble"]
    assert list(described["components"]) == entities
    assert "options" not in described["components"]["label"]
    assert len(json.dumps(described)) < 4000


def test_a_label_called_as_another_entity_takes_nothing_from_it() -> None:
    described = describe_device(TOPICS, ("label", "score"), "m", "0")
    assert described["components"]["label"]["platform"] == "sensor"
    assert described["components"]["is_label"]["platform"] == "binary_sensor"


def test_labels_of_a_model_that_was_replaced_are_removed() -> None:
    described = describe_device(TOPICS, ("cat",), "m", "0", gone=["is_cat", "is_dog"])
    assert described["components"]["is_dog"] == {"platform": "binary_sensor"}
    assert "unique_id" in described["components"]["is_cat"]
