"""What waits for a broker: flat in memory, nothing sent twice without need, nothing forgotten."""

from __future__ import annotations

import pytest

from edgecls.sinks.mqtt.outbox import IN_FLIGHT_LIMIT, Message, Outbox


def state(topic: str, payload: bytes = b"x") -> Message:
    return Message(topic, payload, True)


def event(number: int) -> Message:
    return Message("change", str(number).encode(), False)


def send_all(outbox: Outbox, first_number: int = 1) -> list[bytes]:
    """Send what may be sent; nothing is confirmed."""
    sent = []
    while (message := outbox.take()) is not None:
        outbox.sent(first_number + len(sent), message)
        sent.append(message.payload)
    return sent


def test_of_a_state_only_the_newest_is_sent() -> None:
    outbox = Outbox()
    for number in range(1000):
        outbox.put(state("label", str(number).encode()))
    assert send_all(outbox) == [b"999"]


def test_events_are_sent_in_order() -> None:
    outbox = Outbox()
    for number in range(5):
        outbox.put(event(number))
    assert send_all(outbox) == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.fault(82)
def test_a_full_outbox_gives_up_its_oldest_events_and_counts_them() -> None:
    outbox = Outbox(limit=1000)
    for number in range(100_000):
        outbox.put(event(number))
    assert (len(outbox), outbox.lost) == (1000, 99_000)


def test_a_broker_that_confirms_nothing_gets_only_so_many() -> None:
    outbox = Outbox()
    for number in range(100):
        outbox.put(event(number))
    assert len(send_all(outbox)) == IN_FLIGHT_LIMIT
    outbox.confirm(1)
    assert len(send_all(outbox, 101)) == 1


def test_what_was_confirmed_is_not_sent_again() -> None:
    outbox = Outbox()
    outbox.put(event(0))
    outbox.put(event(1))
    send_all(outbox)
    outbox.confirm(1)
    outbox.begin()
    assert send_all(outbox) == [b"1"]
    assert outbox.published == 1


def test_every_state_is_sent_again_on_a_new_connection() -> None:
    outbox = Outbox()
    outbox.put(state("a", b"1"))
    outbox.put(state("b", b"2"))
    send_all(outbox)
    outbox.confirm(1)
    outbox.confirm(2)
    assert outbox.is_empty
    outbox.begin()
    assert send_all(outbox) == [b"1", b"2"]


@pytest.mark.fault(82)
def test_events_in_flight_count_towards_the_limit() -> None:
    outbox = Outbox(limit=30)
    for number in range(30):
        outbox.put(event(number))
    send_all(outbox)
    for number in range(30, 60):
        outbox.put(event(number))
    assert len(outbox) == 30
    outbox.begin()
    assert len(outbox) == 30
