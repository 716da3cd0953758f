"""What waits for a broker: the newest of each state, and a bounded number of events."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

EVENT_LIMIT: Final = 1000
# The protocol allows 65,535 unconfirmed messages; a broker that hangs gets no more than these.
IN_FLIGHT_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Message:
    """To be published; one that is retained is a state, of which only the newest counts."""

    topic: str
    payload: bytes
    is_retained: bool


class Outbox:
    """Flat in memory whatever the broker does: one message a state, a limited number of events.

    A message leaves it when the broker has confirmed it; what was lost with a connection is sent
    again. States are sent again on every connection, for a broker may have forgotten them.
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self.lost = 0
        self.published = 0
        self._limit = limit
        self._states: dict[str, Message] = {}
        self._due: dict[str, None] = {}  # topics of states, in the order of their sending
        self._events: deque[Message] = deque()
        self._in_flight: dict[int, Message] = {}
        self._lock = threading.Lock()

    def put(self, message: Message) -> None:
        """Take a message; a full outbox gives up its oldest event."""
        with self._lock:
            if message.is_retained:
                self._states[message.topic] = message
                self._due[message.topic] = None
                return
            while len(self._events) + len(self._in_flight) >= self._limit and self._events:
                self._events.popleft()
                self.lost += 1
            self._events.append(message)

    def take(self) -> Message | None:
        """The next to publish, states first; None where there is none or enough is in flight."""
        with self._lock:
            if len(self._in_flight) >= IN_FLIGHT_LIMIT:
                return None
            if self._due:
                topic = next(iter(self._due))
                del self._due[topic]
                return self._states[topic]
            return self._events.popleft() if self._events else None

    def sent(self, number: int, message: Message) -> None:
        """Remember that a message is on its way, under the number the broker will confirm."""
        with self._lock:
            self._in_flight[number] = message

    def confirm(self, number: int) -> None:
        """Forget a message that the broker has."""
        with self._lock:
            self.published += self._in_flight.pop(number, None) is not None

    def begin(self) -> None:
        """Start over on a new connection: every state, and the events that were on their way."""
        with self._lock:
            again = [message for message in self._in_flight.values() if not message.is_retained]
            self._in_flight.clear()
            self._events.extendleft(reversed(again))
            self._due = dict.fromkeys(self._states)

    def repeat_states(self) -> None:
        """Send every state again, to somebody who has just begun to listen."""
        with self._lock:
            self._due = dict.fromkeys(self._states)

    @property
    def is_empty(self) -> bool:
        """Whether the broker has everything."""
        with self._lock:
            return not (self._due or self._events or self._in_flight)

    def __len__(self) -> int:
        """Messages that wait or are in flight."""
        with self._lock:
            return len(self._due) + len(self._events) + len(self._in_flight)
