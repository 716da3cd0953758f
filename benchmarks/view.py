"""What the live view costs the camera loop: with nobody looking, with one, with ten.

Run: EDGECLS_DATA=FOLDER python benchmarks/view.py [--seconds N] [--warmup N]

Loops run side by side, so that whatever else the machine does meets all of them alike: 640x480
at 15 frames a second, MobileNetV1-0.25, one inference thread:

  without    no --view (four of them)
  nobody     --view, and nobody looks (four of them)
  one        --view, and one viewer of the pictures
  ten        --view, and ten of them
  JPEG       as `nobody`, of a camera that sends JPEG, which is passed on to viewers
  JPEG, one  as `one`, of such a camera

Printed: CPU time a frame (median of ten windows, mean of several loops) and memory of a process.
What the page costs while nobody looks is less than what two processes of one program differ by on a
busy machine, so it is timed by itself, too. Then how often a picture was encoded and what encoding
it once costs; how fast the page comes beside 300 half-open connections; and, with a viewer that
takes nothing beside ten others, when it is dropped and how many pictures they missed meanwhile.
Goals stand beside the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

MODEL: Final = "coral/mobilenet_v1_0.25_128_quant.tflite"
FPS: Final = 15
WINDOWS: Final = 10
COPIES: Final = 4
LOOPS: Final = Path(__file__).parent / "loops"
WAYS: Final = {
    "without": (False, 0, ""),
    "nobody": (True, 0, ""),
    "one": (True, 1, ""),
    "ten": (True, 10, ""),
    "JPEG": (True, 0, "&jpeg=1"),
    "JPEG, one": (True, 1, "&jpeg=1"),
}


@dataclass(slots=True)
class Loop:
    """A running `edgecls camera`, and who looks at it."""

    process: subprocess.Popen[str]
    port: int
    viewers: subprocess.Popen[str] | None = None

    def cpu_s(self) -> float:
        """CPU time of all its threads so far, to the nanosecond."""
        total = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory_mb(self) -> float:
        """What it has in memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0


@contextlib.contextmanager
def running(model: Path, way: str) -> Iterator[Loop]:
    """A loop in one of the ways, with its viewers."""
    has_view, viewers, more = WAYS[way]
    command = [sys.executable, "-m", "edgecls", "camera", "--model", str(model)]
    command += ["--source", f"fake:digits?fps={FPS}&loop=1{more}"]
    command += ["--view", "127.0.0.1:0"] if has_view else []
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
        try:
            loop = Loop(process, read_port(process) if has_view else 0)
            if viewers:
                loop.viewers = start_viewers(loop.port, viewers)
            yield loop
        finally:
            process.kill()
            if loop.viewers is not None and loop.viewers.poll() is None:
                loop.viewers.kill()


def read_port(process: subprocess.Popen[str]) -> int:
    """Where the page is, as the command says on stderr."""
    assert process.stderr is not None
    while line := process.stderr.readline():
        if line.startswith("view: http"):
            return int(line.rpartition(":")[2].strip().strip("/"))
    raise SystemExit("the loop did not start")


def start_viewers(port: int, count: int) -> subprocess.Popen[str]:
    """People who look, in a process of their own."""
    command = [sys.executable, str(LOOPS / "viewers.py"), str(port), str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask_viewers(viewers: subprocess.Popen[str]) -> dict[str, Any]:
    """End them; what they saw."""
    out, _ = viewers.communicate()
    found: dict[str, Any] = json.loads(out)
    return found


def time_pages(port: int, rounds: int = 20) -> float:
    """The longest time a page took, in ms."""
    longest = 0.0
    for _ in range(rounds):
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().read().startswith(b"<!doctype html>")
        connection.close()
        longest = max(longest, (time.monotonic() - started) * 1e3)
    return longest


@contextlib.contextmanager
def half_open(port: int, count: int) -> Iterator[None]:
    """Connections on which nobody says more than half a request."""
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port))
        with contextlib.suppress(OSError):
            client.sendall(b"GET / HTTP/1.1\r\nHost: local")
        clients.append(client)
    yield
    for client in clients:
        client.close()


def time_stuck(port: int) -> float:
    """How long a viewer that takes nothing is kept, in s, from when it asked."""
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # full the sooner
        stuck.connect(("127.0.0.1", port))
        stuck.sendall(b"GET /frames HTTP/1.1\r\nHost: localhost\r\n\r\n")
        started = time.monotonic()
        watch = select.poll()
        watch.register(stuck, select.POLLHUP | select.POLLRDHUP | select.POLLERR)
        watch.poll(60_000)
        return time.monotonic() - started


def stick(loop: Loop) -> tuple[float, int]:
    """Add a viewer that takes nothing to ten others.

    Returns:
        When it was dropped, in s, and how many pictures the slowest of the ten missed until then,
        of those that any of them saw.
    """
    with contextlib.ExitStack() as closing:
        others = start_viewers(loop.port, 10)
        closing.callback(others.kill)
        time.sleep(1.0)
        stuck_s = time_stuck(loop.port)
        seen = ask_viewers(others)["seen"]
    return stuck_s, max(seen) - min(seen)


def measure(loops: dict[str, list[Loop]], seconds: float) -> dict[str, float]:
    """CPU time a frame in ms, by way: medians of ten windows, and of several loops their mean."""
    windows: dict[str, list[list[float]]] = {way: [[] for _ in some] for way, some in loops.items()}
    for _ in range(WINDOWS):
        before = {way: [loop.cpu_s() for loop in some] for way, some in loops.items()}
        started = time.monotonic()
        time.sleep(seconds / WINDOWS)
        frames = (time.monotonic() - started) * FPS
        for way, some in loops.items():
            for loop, then_s, values in zip(some, before[way], windows[way], strict=True):
                values.append((loop.cpu_s() - then_s) / frames * 1e3)
    return {way: mean(median(values) for values in some) for way, some in windows.items()}


def print_goals(
    cpu_ms: dict[str, float],
    memory_mb: dict[str, float],
    alone_ms: dict[str, float],
    encoded: float,
    others: tuple[float, float, int],
) -> None:
    """Each figure beside what was promised."""
    page_ms, stuck_s, missed = others
    one, ten = cpu_ms["one"] - cpu_ms["nobody"], cpu_ms["ten"] - cpu_ms["nobody"]
    more_mb = memory_mb["nobody"] - memory_mb["without"]
    goals = (
        (
            "nobody looks: CPU of the page's own work",
            alone_ms["own"] / cpu_ms["without"] * 100,
            "%",
            2,
        ),
        (
            "nobody looks: CPU, processes against others",
            (cpu_ms["nobody"] / cpu_ms["without"] - 1) * 100,
            "%",
            2,
        ),
        ("nobody looks: memory", more_mb, "MB", 10),
        ("one viewer: encodings a frame", encoded, "", 1),
        ("one viewer: CPU, in encodings", one / alone_ms["encode"], "", None),
        (
            "one viewer of a JPEG camera: CPU, in encodings",
            (cpu_ms["JPEG, one"] - cpu_ms["JPEG"]) / alone_ms["encode"],
            "",
            None,
        ),
        ("ten viewers: cost of one times", ten / one, "", 2),
        ("page beside 300 half-open connections", page_ms, "ms", 200),
        ("a stuck viewer is dropped after", stuck_s, "s", 12),
        ("pictures that others missed meanwhile", missed, "", 0),
    )
    for what, value, unit, goal in goals:
        beside = (
            "" if goal is None else f"   goal: at most {goal}{'' if value <= goal else '  MISSED'}"
        )
        print(f"{what:<48} {value:8.2f} {unit:<3}{beside}")


def main() -> None:
    """Print a table, then the goals."""
    options = parse_options()
    place = os.environ.get("EDGECLS_DATA")
    if not place:
        print("view: skipped, EDGECLS_DATA is not set (it names the folder with models)")
        return
    with contextlib.ExitStack() as closing:
        model = Path(place) / MODEL
        loops: dict[str, list[Loop]] = {way: [] for way in WAYS}
        for way in (*WAYS, *("without", "nobody") * (COPIES - 1)):
            loops[way].append(closing.enter_context(running(model, way)))
        time.sleep(options.warmup)
        cpu_ms = measure(loops, options.seconds)
        memory_mb = {way: some[0].memory_mb() for way, some in loops.items()}
        seen = {
            way: ask_viewers(viewers)
            for way, some in loops.items()
            if (viewers := some[0].viewers) is not None
        }
        print(f"pictures seen: {seen['one']['seen']} by one, {seen['ten']['seen']} by ten")
        for way in WAYS:
            print(f"{way:<10} {cpu_ms[way]:7.3f} ms CPU a frame  {memory_mb[way]:6.1f} MB")
        with half_open(loops["nobody"][0].port, 300):
            page_ms = time_pages(loops["nobody"][0].port)
        others = (page_ms, *stick(loops["ten"][0]))
    # Of ten viewers, as many different pictures as one of them saw: each was made once for all.
    encoded = seen["ten"]["different"] / max(seen["ten"]["seen"])
    command = [sys.executable, str(LOOPS / "view_alone.py")]
    alone_ms = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    print(f"encoding a 640x480 frame once: {alone_ms['encode']:.3f} ms")
    print_goals(cpu_ms, memory_mb, alone_ms, encoded, others)


def parse_options() -> argparse.Namespace:
    """How long to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--warmup", type=float, default=5.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
