"""The steady label, its score and the camera's health on an MQTT broker, for Home Assistant."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from edgecls.console import json_line
from edgecls.contract.conditions import DriftEvent
from edgecls.contract.events import (
    UNKNOWN,
    ChangeEvent,
    Event,
    ModelEvent,
    PredictionEvent,
    SourceEvent,
)
from edgecls.contract.warning_event import WarningEvent
from edgecls.imaging.captured import CapturedFrame
from edgecls.sinks import Sink
from edgecls.sinks.mqtt.discovery import (
    Topics,
    describe_device,
    label_components,
    shown_label,
)
from edgecls.sinks.mqtt.link import ONLINE, Link
from edgecls.sinks.mqtt.outbox import Message, Outbox
from edgecls.sinks.mqtt.settings import MqttSettings

_BIRTH: Final = b"online"


class MqttSink(Sink):
    """Publishes states when they change, score and rate every few seconds, changes as events.

    Nothing here waits for the broker: see `Outbox` for what is kept while it is away.

    Args:
        settings: Of the broker.
        labels: Of the model.
        model: Its name, for people.
        tell: Takes a line for people, when the broker is lost and when it is back.

    Raises:
        NotInstalledError: paho-mqtt is missing.
        SinkError: The certificates cannot be read.
    """

    takes: ClassVar = (
        *(PredictionEvent, ChangeEvent, SourceEvent),
        *(ModelEvent, DriftEvent, WarningEvent),
    )

    def __init__(
        self,
        settings: MqttSettings,
        labels: Sequence[str],
        model: str = "",
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = f"mqtt {settings.broker}"
        self._settings = settings
        self._topics = Topics(settings.broker.base)
        self._labels = tuple(labels)
        self._model = model
        self._gone: set[str] = set()
        self._outbox = Outbox()
        self._state: dict[str, Any] = {"label": UNKNOWN, "label_id": ""}
        self._state |= {"source": "ON", "drift": "OFF", "trouble": "OFF"}
        self._drifting: dict[str, DriftEvent] = {}
        self._troubles: dict[str, WarningEvent] = {}
        self._rate = _Rate()
        self._published_s = float("-inf")
        self._changed: ChangeEvent | None = None
        self._last: PredictionEvent | None = None
        self._is_closed = False
        self._introduce()
        status = f"{settings.discovery_prefix}/status"
        listens = (self._topics.availability, *((status,) if settings.discovery_prefix else ()))
        self._link = Link(
            settings, self._outbox, self._topics.availability, self._hear, listens, tell
        )

    def handle(self, event: Event, _frame: CapturedFrame | None = None) -> None:
        """Publish what an event changes; never waits."""
        if isinstance(event, PredictionEvent):
            self._take_prediction(event)
        elif isinstance(event, ChangeEvent):
            self._changed = event
            self._put(self._topics.change, event.to_json(), is_retained=False)
            self._publish_state({**self._about(event.label), "score": event.score})
            self._publish_attributes()
        elif isinstance(event, SourceEvent):
            self._publish_state({"source": "ON" if event.state == "back" else "OFF"})
        elif isinstance(event, DriftEvent):
            self._take_drift(event)
        elif isinstance(event, WarningEvent):
            self._take_warning(event)
        elif isinstance(event, ModelEvent) and event.state == "loaded":
            self._drifting.clear()
            self._gone |= set(label_components(self._labels))
            self._labels, self._model = tuple(event.labels), event.model.rpartition("/")[2]
            self._introduce()
            self._publish_state({**self._about(UNKNOWN), "drift": "OFF"})
        self._link.wake()

    def close(self) -> None:
        """Publish what is left, for a moment, and that the board is gone."""
        if not self._is_closed:
            self._is_closed = True
            self._outbox.put(Message(self._topics.availability, b"offline", True))
            self._link.close()

    @property
    def counts(self) -> Mapping[str, int]:
        """Messages that the broker has confirmed, and changes that it never got."""
        return {"published": self._outbox.published, "errors": self._outbox.lost}

    @property
    def is_connected(self) -> bool:
        """Whether the broker has welcomed us."""
        return self._link.is_connected

    @property
    def attempts(self) -> int:
        """How often a connection was tried."""
        return self._link.attempts

    @property
    def waiting(self) -> int:
        """Messages that the broker has not confirmed."""
        return len(self._outbox)

    def _introduce(self) -> None:
        """Who we are, before what we see: Home Assistant must know a topic to take its state."""
        from edgecls import __version__

        prefix = self._settings.discovery_prefix
        if prefix:
            device = describe_device(
                self._topics, self._labels, self._model, __version__, sorted(self._gone)
            )
            self._put(self._topics.discovery(prefix), device)
        self._outbox.put(Message(self._topics.availability, ONLINE, True))

    def _take_prediction(self, event: PredictionEvent) -> None:
        self._rate.count()
        self._last = event
        label = event.steady or event.label
        update = {
            **self._about(label),
            "score": event.score,
            "frame": event.frame,
            "time": round(event.time, 3),
        }
        is_new = shown_label(label) != self._state["label"]
        if is_new or time.monotonic() - self._published_s >= self._settings.interval_s:
            self._publish_state(update)
            self._publish_attributes()

    def _take_drift(self, event: DriftEvent) -> None:
        self._drifting.pop(event.statistic, None)
        if event.state == "drifting":
            self._drifting[event.statistic] = event
        self._publish_state({"drift": "ON" if self._drifting else "OFF"})
        told = {"drifting": [found.to_json() for found in self._drifting.values()]}
        self._put(self._topics.drift, told)

    def _take_warning(self, event: WarningEvent) -> None:
        self._troubles.pop(event.trouble, None)
        if event.state == "begin":
            self._troubles[event.trouble] = event
        self._publish_state({"trouble": "ON" if self._troubles else "OFF"})
        told = {"troubles": [found.to_json() for found in self._troubles.values()]}
        self._put(self._topics.trouble, told)

    def _about(self, label: str) -> dict[str, Any]:
        ids = {known: name for name, known in label_components(self._labels).items()}
        return {"label": shown_label(label), "label_id": ids.get(label, "")}

    def _publish_state(self, update: Mapping[str, Any]) -> None:
        self._state |= update
        if "score" in update:
            self._state["score"] = round(update["score"], 4)
            self._state["score_percent"] = round(update["score"] * 100, 1)
        self._state["fps"] = self._rate.fps
        self._published_s = time.monotonic()
        self._put(self._topics.state, self._state)

    def _publish_attributes(self) -> None:
        attributes: dict[str, Any] = {"model": self._model}
        if self._last is not None:
            attributes["predictions"] = [found.to_json() for found in self._last.predictions]
            if self._last.age_ms is not None:
                attributes["age_ms"] = round(self._last.age_ms, 1)
        if self._changed is not None:
            attributes["previous"] = self._changed.previous
            attributes["since"] = round(self._changed.time, 3)
        self._put(self._topics.attributes, attributes)

    def _put(self, topic: str, value: Mapping[str, Any], *, is_retained: bool = True) -> None:
        self._outbox.put(Message(topic, json_line(value).encode(), is_retained))

    def _hear(self, topic: str, payload: bytes) -> None:
        """What the broker says: Home Assistant has started, or we are thought to be gone."""
        if self._is_closed:
            return
        if topic == self._topics.availability:
            # The will of a connection that we have lost ourselves may come after our return.
            if payload != ONLINE:
                self._outbox.put(Message(topic, ONLINE, True))
        elif payload == _BIRTH:
            self._outbox.repeat_states()


class _Rate:
    """Events a second, over the last seconds."""

    _WINDOW_S: Final = 5.0

    def __init__(self) -> None:
        self.fps = 0.0
        self._count = 0
        self._began_s = time.monotonic()

    def count(self) -> None:
        self._count += 1
        elapsed_s = time.monotonic() - self._began_s
        if elapsed_s >= self._WINDOW_S or not self.fps:
            self.fps = round(self._count / elapsed_s, 1) if elapsed_s > 0.2 else 0.0
        if elapsed_s >= self._WINDOW_S:
            self._count, self._began_s = 0, time.monotonic()
