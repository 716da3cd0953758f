"""An hour of `edgecls camera` with a fault every minute: does it grow, does it lose count?

Run: python benchmarks/never_down/soak.py [--minutes 60] [--every 60] [--fps 12] [--write]

Two loops run as processes: one on an MJPEG camera, with records, JSON lines, a Mosquitto (where it
is installed) and a stdout that somebody reads; one on an RTSP camera, whose own process is killed
and stopped. Printed every ten minutes and at the end: memory, open files, threads, the slope of the
memory in the second half; and whether the frames that the camera sent are those that the
loop counted: sent = classified + dropped + unreadable. Exit 1 where something is not as it should.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from broker import Broker  # noqa: E402
from faulty_camera import NOT_FOUND, PAGE, FaultyCamera  # noqa: E402
from watched import start  # noqa: E402

from tests.support.rtsp_server import RtspServer  # noqa: E402
from tests.support.tiny_model import write_tiny_model  # noqa: E402

_PAGE: Final = ROOT / "docs/reliability/soak.md"
_SAMPLE_S: Final = 5.0
_REPORT_S: Final = 600.0
# Half an hour's memory is known to a few hundred KB.
_MOST_SLOPE_MB_H: Final = 4.0
_MOST_MORE: Final = 3  # files or threads: a retry may be under way
_SPELL_S: Final = 15.0


class Soak:
    """Both loops, what they stand on, and what is done to them."""

    def __init__(self, folder: Path, fps: float) -> None:
        self.camera = FaultyCamera(fps)
        self.rtsp = RtspServer((90, 160, 40), fps=fps)
        self.broker = Broker(folder)
        self.broker.start()
        time.sleep(0.5)
        write_tiny_model(folder / "model.tflite")
        model = ["--model", str(folder / "model.tflite")]
        self.mjpeg = start(
            *("mjpeg", *model, "--source", self.camera.url, "--warn-after", "5"),
            *("--jsonl", str(folder / "events.jsonl"), "--jsonl-max-mb", "1"),
            *("--record", str(folder / "kept"), "--record-when", "every", "--record-alike"),
            *("--record-every", "10", "--record-quota", "3MB", *self.broker.options),
        )
        self.network = start("rtsp", *model, "--source", self.rtsp.url())
        self.faults: list[tuple[str, Callable[[], None]]] = [
            *((name, self._injector(name)) for name in self._simple()),
            *((name, self._shower(name)) for name in ("resized", "black", "frozen")),
            ("one frame a second", lambda: self._for_a_while(lambda: self._show("scene", 1.0))),
            ("404, then well", lambda: self._answer(NOT_FOUND)),
            ("a web page, then well", lambda: self._answer(PAGE)),
            ("refused, then well", self._refuse),
            ("broker killed", self._kill_broker),
            ("broker frozen", self._freeze_broker),
            ("stdout not read", self._block_stdout),
            ("RTSP: process killed", lambda: self._signal_child(signal.SIGKILL)),
            ("RTSP: process stopped", lambda: self._signal_child(signal.SIGSTOP)),
            ("RTSP: closed", self.rtsp.cut),
        ]

    @staticmethod
    def _simple() -> list[str]:
        return [
            *("close", "reset", "half a picture", "stall", "stall in a picture"),
            *("one byte a second", "no JPEG", "damaged JPEG", "garbage"),
        ]

    def _injector(self, name: str) -> Callable[[], None]:
        return lambda: self.camera.inject(name)

    def _shower(self, what: str) -> Callable[[], None]:
        return lambda: self._for_a_while(lambda: self._show(what))

    def _show(self, what: str, rate: float | None = None) -> None:
        self.camera.show(what, rate)

    def _for_a_while(self, begin: Callable[[], None]) -> None:
        begin()
        time.sleep(_SPELL_S)
        self.camera.show("scene")

    def _answer(self, answer: bytes) -> None:
        self.camera.answer_with(answer)
        time.sleep(6.0)
        self.camera.answer_with(b"")

    def _refuse(self) -> None:
        self.camera.refuse()
        time.sleep(6.0)
        self.camera.accept()

    def _kill_broker(self) -> None:
        self.broker.kill()
        time.sleep(10.0)
        self.broker.start()

    def _freeze_broker(self) -> None:
        self.broker.signal(signal.SIGSTOP)
        time.sleep(_SPELL_S)
        self.broker.signal(signal.SIGCONT)

    def _block_stdout(self) -> None:
        self.mjpeg.is_read.clear()
        time.sleep(_SPELL_S)
        self.mjpeg.is_read.set()

    def _signal_child(self, number: int) -> None:
        for child in _children(self.network.process.pid):
            os.kill(child, number)

    def finish(self) -> None:
        """Let all that was sent be read, and end both loops."""
        self.camera.is_paused = True
        time.sleep(3.0)
        for watched in (self.mjpeg, self.network):
            watched.process.terminate()
            watched.process.wait(20)
        time.sleep(0.5)
        self.broker.kill()


def _children(pid: int) -> list[int]:
    return [
        int(child)
        for task in os.listdir(f"/proc/{pid}/task")
        for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()
    ]


def report(soak: Soak, started_s: float, injected: Counter[str], log: Path) -> dict[str, Any]:
    """What there is to say now; written to the log as one line."""
    said = {
        "minutes": round((time.monotonic() - started_s) / 60, 1),
        "injected": sum(injected.values()),
        **{
            watched.name: {**watched.figures(started_s), "events": dict(watched.events)}
            for watched in (soak.mjpeg, soak.network)
        },
    }
    with log.open("a") as file:
        file.write(json.dumps(said) + "\n")
    return said


def judge(soak: Soak, said: dict[str, Any]) -> list[str]:
    """What is not as it should be."""
    wrong = []
    summary = soak.mjpeg.last
    counted = summary.get("classified", 0) + summary.get("dropped", 0)
    counted += summary.get("unreadable", 0)
    if not soak.camera.sent == counted == summary.get("frames"):
        wrong.append(f"{soak.camera.sent} frames sent, {counted} counted: {summary}")
    for name in ("mjpeg", "rtsp"):
        figures = said[name]
        for what in ("slope_mb_h", "child_slope_mb_h"):
            if figures.get(what, 0) > _MOST_SLOPE_MB_H:
                wrong.append(f"{name}: {what} is {figures[what]}")
        for what in ("files", "threads"):
            fewest, most = figures.get(what, (0, 0))
            if most - fewest > _MOST_MORE:
                wrong.append(f"{name}: {fewest} to {most} {what}")
    for watched in (soak.mjpeg, soak.network):
        if watched.process.returncode != 0 or watched.last.get("event") != "summary":
            wrong.append(f"{watched.name}: exit {watched.process.returncode}, no summary")
    return wrong


def to_page(said: dict[str, Any], end: dict[str, Any]) -> str:
    """For docs/reliability/soak.md: a section of a page."""
    summary, mjpeg, rtsp = end["summary"], said["mjpeg"], said["rtsp"]
    counted = f"{summary['classified']} classified, {summary['dropped']} dropped"
    counted += f", {summary['unreadable']} unreadable"
    kinds = ", ".join(f"{name} ({times})" for name, times in sorted(end["injected"].items()))
    return "\n".join(
        (
            f"### {said['minutes']:.0f} minutes with a fault every minute",
            "",
            f"- **Counted**: {end['sent']} frames sent = {counted}; lost"
            f" {summary['source']['lost']} times, and back each time.",
            f"- **The MJPEG loop in the second half**: {_grown(mjpeg)}.",
            f"- **The RTSP loop in the second half**: {_grown(rtsp)}; the process that reads"
            f" {rtsp['child_mb']} MB, {rtsp['child_slope_mb_h']:+.1f} MB an hour.",
            f"- **Faults**: {kinds}.",
            f"- **Not as it should be**: {'; '.join(end['wrong']) or 'nothing'}.",
            "",
            "`python benchmarks/never_down/soak.py --write`",
            "",
        )
    )


def _grown(figures: dict[str, Any]) -> str:
    files, threads = ("-".join(map(str, sorted(set(figures[k])))) for k in ("files", "threads"))
    return (
        f"{figures['mb']} MB of its own, {figures['slope_mb_h']:+.1f} MB an hour,"
        f" {files} open files, {threads} threads"
    )


def run(folder: Path, options: argparse.Namespace) -> int:
    """Run it all; 1 if something is wrong."""
    soak = Soak(folder, options.fps)
    order = random.Random(0)
    waiting: list[tuple[str, Callable[[], None]]] = []
    injected: Counter[str] = Counter()
    started_s = time.monotonic()
    next_fault_s, next_report_s = started_s + options.every, started_s + _REPORT_S
    while time.monotonic() < started_s + options.minutes * 60:
        now = time.monotonic()
        if now >= next_fault_s:
            next_fault_s += options.every
            waiting = waiting or order.sample(soak.faults, len(soak.faults))
            name, inject = waiting.pop()
            injected[name] += 1
            threading.Thread(target=inject, daemon=True).start()
        for watched in (soak.mjpeg, soak.network):
            watched.sample(now)
        if now >= next_report_s:
            next_report_s += _REPORT_S
            report(soak, started_s, injected, options.log)
        time.sleep(_SAMPLE_S)
    time.sleep(20.0)  # the last fault is over
    soak.finish()
    said = report(soak, started_s, injected, options.log)
    wrong = judge(soak, said)
    end = {"injected": dict(injected), "sent": soak.camera.sent, "summary": soak.mjpeg.last}
    end |= {"rtsp": soak.network.last, "wrong": wrong}
    with options.log.open("a") as file:
        file.write(json.dumps(end) + "\n")
    print(json.dumps({**said, **end}, indent=1))
    if options.write:
        _PAGE.write_text(to_page(said, end), encoding="utf-8")
    return 1 if wrong else 0


def main() -> int:
    """Read the options, and run in a folder that is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two faults")
    parser.add_argument("--fps", type=float, default=12.0)
    parser.add_argument("--write", action="store_true", help="put the figures into the docs")
    parser.add_argument("--log", type=Path, default=Path("soak.jsonl"))
    with tempfile.TemporaryDirectory(prefix="edgecls-soak-") as folder:
        return run(Path(folder), parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
