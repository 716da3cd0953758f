"""What Home Assistant is told, so that it shows a camera as a device without being set up.

Source:
    Home Assistant, "MQTT", sections "Device discovery payload" and "Using availability topics",
    and the configuration variables of "MQTT sensor" and "MQTT binary sensor"; device-based
    discovery needs Home Assistant 2024.11 or later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgecls.console import printable
from edgecls.contract.events import UNKNOWN
from edgecls.sinks.mqtt.settings import slug, slugs_of

# A binary sensor each for so many labels; of ImageNet's thousand nobody wants one each.
MOST_BINARY_SENSORS: Final = 20
_MOST_OPTIONS: Final = 200
# Home Assistant refuses states that are longer.
_MAX_STATE: Final = 255


@dataclass(frozen=True, slots=True)
class Topics:
    """Where a board publishes.

    Args:
        base: First levels of all of them.
    """

    base: str

    @property
    def availability(self) -> str:
        """`online`, or `offline` by last will."""
        return f"{self.base}/availability"

    @property
    def state(self) -> str:
        """Label, score, rate and camera, as JSON; retained."""
        return f"{self.base}/state"

    @property
    def attributes(self) -> str:
        """What else there is to know of the label; retained."""
        return f"{self.base}/attributes"

    @property
    def drift(self) -> str:
        """Which statistics have left what the model learnt, and how far; retained."""
        return f"{self.base}/drift"

    @property
    def trouble(self) -> str:
        """What is wrong with the camera's pictures: frozen, black or too few; retained."""
        return f"{self.base}/trouble"

    @property
    def change(self) -> str:
        """Every change of the steady label, as JSON; not retained."""
        return f"{self.base}/change"

    def discovery(self, prefix: str) -> str:
        """Where Home Assistant looks for devices."""
        return f"{prefix}/device/{self.node}/config"

    @property
    def node(self) -> str:
        """An id of letters, digits and `_`."""
        return slug(self.base) or "edgecls"


def shown_label(label: str) -> str:
    """A label as a state: in one line, no longer than Home Assistant takes."""
    return printable(label)[:_MAX_STATE]


def describe_device(
    topics: Topics, labels: Sequence[str], model: str, version: str, gone: Iterable[str] = ()
) -> dict[str, Any]:
    """The payload of the discovery message.

    Args:
        topics: Of this board.
        labels: Of its model.
        model: Its name, for people.
        version: Of edgecls.
        gone: Ids of components that an earlier message named and this one no longer does.
    """
    node = topics.node
    components = {**_sensors(topics, labels), **_binary_sensors(labels)}
    for name, component in components.items():
        component["unique_id"] = f"{node}_{name}"
    removed = {name: {"platform": "binary_sensor"} for name in gone if name not in components}
    place = topics.base.rpartition("/")[2]
    return {
        "device": {
            "identifiers": [f"edgecls_{node}"],
            "name": f"Camera {place}",
            "manufacturer": "edgecls",
            "model": printable(model),
            "sw_version": version,
        },
        "origin": {"name": "edgecls", "sw_version": version},
        "availability": [{"topic": topics.availability}],
        "state_topic": topics.state,
        "qos": 1,
        "components": {**components, **removed},
    }


def label_components(labels: Sequence[str]) -> dict[str, str]:
    """Id of the binary sensor -> label; none where there are too many."""
    if len(labels) > MOST_BINARY_SENSORS:
        return {}
    return {f"is_{name}": label for label, name in slugs_of(tuple(labels)).items()}


def _sensors(topics: Topics, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    label: dict[str, Any] = {
        "platform": "sensor",
        "name": "Label",
        "icon": "mdi:tag-outline",
        "value_template": "{{ value_json.label }}",
        "json_attributes_topic": topics.attributes,
    }
    if len(labels) <= _MOST_OPTIONS:
        options = dict.fromkeys(shown_label(name) for name in [*labels, UNKNOWN])
        label |= {"device_class": "enum", "options": list(options)}
    return {
        "label": label,
        "score": {
            "platform": "sensor",
            "name": "Score",
            "icon": "mdi:percent-outline",
            "value_template": "{{ value_json.score_percent }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "suggested_display_precision": 0,
        },
        "fps": {
            "platform": "sensor",
            "name": "Frame rate",
            "icon": "mdi:speedometer",
            "value_template": "{{ value_json.fps }}",
            "unit_of_measurement": "fps",
            "state_class": "measurement",
            "suggested_display_precision": 1,
            "entity_category": "diagnostic",
        },
        "source": {
            "platform": "binary_sensor",
            "name": "Source",
            "device_class": "connectivity",
            "value_template": "{{ value_json.source }}",
            "entity_category": "diagnostic",
        },
        "drift": {
            "platform": "binary_sensor",
            "name": "Drift",
            "device_class": "problem",
            "value_template": "{{ value_json.drift }}",
            "json_attributes_topic": topics.drift,
            "entity_category": "diagnostic",
        },
        "trouble": {
            "platform": "binary_sensor",
            "name": "Camera trouble",
            "device_class": "problem",
            "value_template": "{{ value_json.trouble }}",
            "json_attributes_topic": topics.trouble,
            "entity_category": "diagnostic",
        },
    }


def _binary_sensors(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "platform": "binary_sensor",
            "name": shown_label(label),
            # The id, not the label: what is compared must need no quotes in the template.
            "value_template": f"{{{{ 'ON' if value_json.label_id == '{name}' else 'OFF' }}}}",
        }
        for name, label in label_components(labels).items()
    }
