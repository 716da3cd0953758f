"""What a server takes at most, so that nobody can take it from the others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Connections, bytes and seconds.

    Beyond a number of connections one makes room: of strangers, from whom no request was let in yet
    (for want of a token, or because none has come), the one that came first from the network with
    most of them; where there are none, the one that has been silent for longest. A request takes
    milliseconds to arrive, so whoever opens hundreds, or guesses tokens, loses his own.

    Args:
        connections: In all.
        connections_of_one: From one network (an address; of IPv6 all that have its first 64 bits).
        strangers_of_one: From one network, of strangers.
        viewers: Connections that are given pictures or events.
        head_bytes: Of a request: its first line and headers.
        header_lines: Of a request.
        body_bytes: Of a request.
        head_s: From the connection's beginning, or the first byte of a later request, to the end of
            the head.
        body_s: From there to the end of the body.
        idle_s: Between a reply and the next request.
        stuck_s: A viewer that takes nothing for so long is dropped.
        linger_s: For what a client still sends after a refusal, so that it gets to read the reply.
        heartbeat_s: Between two signs of life to pages, by which gone ones are noticed.
        waiting: Requests that wait for a worker.
        workers: Threads for handlers, and as many for slow ones.
    """

    connections: int = 256
    connections_of_one: int = 64
    strangers_of_one: int = 32
    viewers: int = 64
    head_bytes: int = 16 << 10
    header_lines: int = 64
    body_bytes: int = 256 << 10
    head_s: float = 10.0
    body_s: float = 10.0
    idle_s: float = 30.0
    stuck_s: float = 10.0
    linger_s: float = 1.0
    heartbeat_s: float = 15.0
    waiting: int = 64
    workers: int = 4
