"""An hour of `edgecls camera` at 60 frames a second with all outputs on: does it grow?

Run: python benchmarks/never_down/speed.py [--minutes 60] [--fps 60] [--plain] [--write]

One loop as a process: the digits (640x480), JSON lines on a stdout that somebody reads and in a
file that is rotated, a table, recorded pictures at their quota, label events, the page with one
viewer of its pictures; with --plain the JSON lines alone. Printed by the minute: the median of its
anonymous memory (its own, without mapped files), and the least: a busy disk makes frames wait for a
moment, and a loop that grows has no low moments any more. Growth is the median of the least of the
last five minutes over the least of the second minute. Exit 1 where it is 1 MB or more.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from watched import Watched, start  # noqa: E402

from tests.support.tiny_model import write_tiny_model  # noqa: E402

_PAGE: Final = ROOT / "docs/reliability/speed.md"
_SAMPLE_S: Final = 2.0
_PORT: Final = 18_460
_MOST_GROWTH_BYTES: Final = 1_000_000
_PLAIN: Final = ("--jsonl", "events.jsonl", "--jsonl-max-mb", "5")
_ALL: Final = (
    *(*_PLAIN, "--csv", "frames.csv", "--label-events"),
    *("--record", "kept", "--record-when", "every", "--record-every", "30"),
    *("--record-alike", "--record-quota", "10MB", "--view", f"127.0.0.1:{_PORT}"),
)


def anonymous_bytes(pid: int) -> int:
    """Memory of a process that no file is behind."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    return 0


def look(counts: dict[str, int]) -> None:
    """View the pictures, for as long as there are any."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        client = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=30)
        client.request("GET", "/picture")
        answer = client.getresponse()
        while piece := answer.read1(1 << 16):
            counts["viewed_bytes"] += len(piece)


def run(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Let it run; its figures, by the minute."""
    if asked.model is None:
        asked.model = folder / "model.tflite"
        write_tiny_model(asked.model)
    os.chdir(folder)
    source = f"fake:digits?fps={asked.fps:g}&loop=1"
    outputs = _PLAIN if asked.plain else _ALL
    watched = start("speed", "--model", str(asked.model), "--source", source, *outputs)
    started_s = time.monotonic()
    counts = {"viewed_bytes": 0}
    if not asked.plain:
        threading.Thread(target=look, args=(counts,), daemon=True).start()
    minutes: list[list[int]] = [[]]
    while time.monotonic() < started_s + 60 * asked.minutes:
        time.sleep(_SAMPLE_S)
        number = int((time.monotonic() - started_s) / 60)
        while len(minutes) <= number:
            _tell(len(minutes), minutes[-1])
            minutes.append([])
        minutes[number].append(anonymous_bytes(watched.process.pid))
    return _finish(watched, minutes, counts)


def _tell(number: int, samples: list[int]) -> None:
    if samples:
        least, most = min(samples), max(samples)
        print(f"minute {number}: {median(samples):.0f} bytes, {least} to {most}", flush=True)


def _finish(watched: Watched, minutes: list[list[int]], counts: dict[str, int]) -> dict[str, Any]:
    watched.process.terminate()
    watched.process.wait(30)
    time.sleep(0.5)
    whole = [samples for samples in minutes[1:] if len(samples) > 10]
    least = [min(samples) for samples in whole]
    return {
        "minutes": len(whole) + 1,
        "least_by_minute": least,
        "median_by_minute": [round(median(samples)) for samples in whole],
        "growth_bytes": round(median(least[-5:])) - least[0],
        **counts,
        "summary": watched.last,
    }


def to_page(said: dict[str, Any], command: str, *, is_plain: bool) -> str:
    """For docs/reliability."""
    outputs = "JSON lines alone" if is_plain else "all outputs on and the page watched"
    summary, least, medians = said["summary"], said["least_by_minute"], said["median_by_minute"]
    rate = summary["frames"] / said["minutes"] / 60
    counted = f"{summary['frames']} frames, {summary['classified']} classified"
    return "\n".join(
        (
            f"### {said['minutes']} minutes at {rate:.0f} frames a second, {outputs}",
            "",
            f"- **Anonymous memory**: {least[0] / 1e6:.2f} MB in the second minute,"
            f" {median(least[-5:]) / 1e6:.2f} MB in the last five: {said['growth_bytes']:+,} bytes."
            f" Medians of minutes: {min(medians) / 1e6:.2f} to {max(medians) / 1e6:.2f} MB.",
            f"- **Meanwhile**: {counted}, {summary['dropped']} dropped;"
            f" {said['viewed_bytes'] / 1e6:.0f} MB of pictures were viewed.",
            "",
            f"`{command}`",
            "",
        )
    )


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--fps", type=float, default=60.0)
    parser.add_argument("--model", type=Path, help="else one of a few kilobytes")
    parser.add_argument("--plain", action="store_true", help="JSON lines alone")
    parser.add_argument("--write", action="store_true", help="put the figures into the docs")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgecls-speed-") as folder:
        said = run(Path(folder), asked)
    print(json.dumps(said, indent=1))
    if asked.write:
        command = f"python benchmarks/never_down/speed.py{' --plain' * asked.plain} --write"
        command += f" --model {asked.model.name}"
        page = _PAGE.with_stem("speed_plain") if asked.plain else _PAGE
        page.write_text(to_page(said, command, is_plain=asked.plain), "utf-8")
    return 0 if said["growth_bytes"] < _MOST_GROWTH_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
