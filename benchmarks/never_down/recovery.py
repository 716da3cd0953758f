"""How long a camera is away after each kind of fault, until its next frame is there.

Run: python benchmarks/never_down/recovery.py [--repeats 20] [--write]

Real servers on loopback and real processes, each repetition with a camera of its own and with the
timeouts that `edgecls camera` has. What is measured is the time from the fault, or from the moment
at which the camera is well again, to the next frame that the loop could classify. `--write` puts
the table into docs/reliability/recovery.md. Exit 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

ROOT: Final = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from faulty_camera import MUTE, NOT_FOUND, PAGE  # noqa: E402
from reading import Bench, http, rtsp  # noqa: E402

from edgecls.sources import Source, SourceWishes, open_source  # noqa: E402
from edgecls.sources.isolated import IsolatedSource  # noqa: E402
from tests.support.rtsp_server import RtspServer  # noqa: E402

_TABLE: Final = ROOT / "docs/reliability/recovery.md"
_ABOUT: Final = """\
# How long a camera is away

From the fault, or from the moment at which the camera is well again, to the next frame that the
loop can classify; measured by `python benchmarks/never_down/recovery.py --write`, with real servers
on loopback, real processes and the timeouts that `edgecls camera` has by itself. "row" is that of
the table of faults.

"""
_AT_ONCE: Final = 5
_DOWN_S: Final = 3.0
STALLED_S: Final = 5.0
CLOSED_S: Final = 1.0
# After a time away the next attempt is at most 4 s off, and takes a moment.
WELL_S: Final = 5.0


def injected(fault: str) -> Callable[[], float]:
    """What `FaultyCamera.inject` does."""

    def measure() -> float:
        with http() as (camera, bench):
            started_s = time.monotonic()
            camera.inject(fault)
            return bench.take_after(lambda: camera.changed_s, started_s)

    return measure


def shown(what: str) -> Callable[[], float]:
    """Other pictures, from one to the next."""

    def measure() -> float:
        with http() as (camera, bench):
            started_s = time.monotonic()
            camera.show(what)
            return bench.take_after(lambda: camera.changed_s, started_s)

    return measure


def then_well(answer: bytes) -> Callable[[], float]:
    """Another answer for a while; counted from its end."""

    def measure() -> float:
        with http() as (camera, bench):
            camera.answer_with(answer)
            time.sleep(_DOWN_S)
            started_s = time.monotonic()
            camera.answer_with(b"")
            return bench.take_after(lambda: camera.changed_s, started_s)

    return measure


def refused_then_well() -> float:
    """Nobody listens for a while; counted from its end."""
    with http() as (camera, bench):
        camera.refuse()
        time.sleep(_DOWN_S)
        started_s = time.monotonic()
        camera.accept()
        return bench.take_after(lambda: camera.changed_s, started_s)


def rtsp_closed() -> float:
    """The server hangs up."""
    with rtsp() as (server, bench):
        at = time.monotonic()
        server.cut()
        return bench.take_after(lambda: at, at - 1)


def rtsp_stalled() -> float:
    """The server falls silent; it answers those who come anew."""
    with RtspServer(fps=30.0, frames=60) as server:
        bench = Bench(lambda: open_source(server.url()))
        try:
            bench.take(5)
            return bench.take_after(lambda: server.silent_s, 0.0)
        finally:
            bench.close()


def signalled(number: int) -> Callable[[], float]:
    """The process that reads is killed, or stops."""

    def measure() -> float:
        with rtsp() as (_, bench):
            assert isinstance(bench.source, IsolatedSource)
            at = time.monotonic()
            os.kill(bench.source.child, number)
            return bench.take_after(lambda: at, at - 1)

    return measure


def grown() -> float:
    """The process that reads has taken more memory than it may; counted from its end."""
    wishes = SourceWishes(memory_mb=100)
    text = "fake:colors?fps=30&loop=1&leak=20:5"
    opened_s: list[float] = []
    closed_s: list[float] = []

    class Leaking(IsolatedSource):
        def close(self) -> None:
            closed_s.append(time.monotonic())
            super().close()

    def open_() -> Source:
        opened_s.append(time.monotonic())
        return Leaking("fake", text, wishes)

    bench = Bench(open_)
    try:
        return bench.take_after(lambda: closed_s[0] if closed_s else 0.0, opened_s[0])
    finally:
        bench.close()


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of faults.

    Args:
        name: For the table.
        row: Of the table of faults.
        promise_s: Within so many seconds.
        measure: One repetition, in seconds.
    """

    name: str
    row: str
    promise_s: float
    measure: Callable[[], float]


KINDS: Final = (
    Kind("falls silent", "45", STALLED_S, injected("stall")),
    Kind("falls silent in a picture", "45", STALLED_S, injected("stall in a picture")),
    Kind("sends one byte a second", "46", STALLED_S, injected("one byte a second")),
    Kind("takes connections and says nothing, then well", "44, 53", WELL_S, then_well(MUTE)),
    Kind("hangs up", "47", CLOSED_S, injected("close")),
    Kind("hangs up in a picture", "47", CLOSED_S, injected("half a picture")),
    Kind("resets the connection", "48", CLOSED_S, injected("reset")),
    Kind("answers 404, then well", "49", WELL_S, then_well(NOT_FOUND)),
    Kind("answers a web page, then well", "49", WELL_S, then_well(PAGE)),
    Kind("takes no connection, then well", "43", WELL_S, refused_then_well),
    Kind("sends what is no JPEG", "54", CLOSED_S, injected("no JPEG")),
    Kind("sends text between pictures", "54", CLOSED_S, injected("garbage")),
    Kind("changes its resolution", "55", CLOSED_S, shown("resized")),
    Kind("RTSP: hangs up", "47", CLOSED_S, rtsp_closed),
    Kind("RTSP: falls silent", "45", STALLED_S, rtsp_stalled),
    Kind("RTSP: its process is killed", "59", CLOSED_S, signalled(signal.SIGKILL)),
    Kind("RTSP: its process hangs", "45", STALLED_S, signalled(signal.SIGSTOP)),
    Kind("its process grows too large", "60", STALLED_S, grown),
)


def measure(kind: Kind, repeats: int) -> list[float]:
    """All repetitions of a kind, some of them at once where most of it is waiting."""
    at_once = _AT_ONCE if kind.promise_s >= STALLED_S else 1
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda _: kind.measure(), range(repeats)))


def row_of(kind: Kind, seconds: list[float]) -> str:
    """A row of the table."""
    p50, p95 = np.percentile(seconds, (50, 95))
    figures = f"{p50:.2f} | {p95:.2f} | {max(seconds):.2f}"
    return f"| {kind.row} | {kind.name} | {len(seconds)} | {figures} | {kind.promise_s:g} |"


def main() -> int:
    """Measure all kinds, and print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    options = parser.parse_args()
    lines = [
        "| row | the camera | times | p50, s | p95, s | most, s | promised, s |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    broken = 0
    for kind in KINDS:
        if options.only in kind.name:
            seconds = measure(kind, options.repeats)
            broken += max(seconds) > kind.promise_s
            lines.append(row_of(kind, seconds))
            print(lines[-1], flush=True)
    if options.write:
        _TABLE.parent.mkdir(exist_ok=True)
        _TABLE.write_text(_ABOUT + "\n".join(lines) + "\n", encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
