"""What a camera loop costs: the tutorial's, MediaPipe's and edgecls' own, on the same MJPEG stream.

Run: EDGECLS_DATA=FOLDER python benchmarks/camera_loop.py [--rounds N] [--frames N] [--quality Q]

A 1280x720 stream of real pictures comes from a process of its own over loopback. Each loop runs in
a process of its own too, with the same model on one inference thread, in turns and several times:

  (a) tutorial    cv2.VideoCapture, cvtColor, resize, set_tensor, invoke, get_tensor
  (b) MediaPipe   ImageClassifier in VIDEO mode, frames from cv2.VideoCapture (needs `make interop`)
  (c) edgecls     `edgecls camera`: its loop with its console sink

Printed: CPU time of the whole process a frame that was classified, frames a second, the frame's age
when its prediction is there (counted from when the sender began to send it, at 30 frames a second),
memory, and the time from start to the first prediction (30 frames a second, too). Medians; goals
stand beside the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

LOOPS: Final = Path(__file__).parent / "loops"
MEDIAPIPE: Final = Path(__file__).parent.parent / ".interop/mediapipe/bin/python"
SMALL: Final = "coral/mobilenet_v1_0.25_128_quant.tflite"
LARGE: Final = "coral/mobilenet_v2_1.0_224_quant.tflite"
WARMUP: Final = 60
AGE_FRAMES: Final = 200
SLOW_S: Final = 0.2
# (model, what, against, at most); fps are turned round, so that less is better everywhere.
GOALS: Final = (
    (SMALL, "cpu_ms", "a", 0.60),
    (SMALL, "cpu_ms", "b", 0.40),
    (SMALL, "frame_ms", "a", 0.50),
    (LARGE, "cpu_ms", "a", 0.90),
    (LARGE, "cpu_ms", "b", 0.75),
    (LARGE, "rss_mb", "a", 1.25),
    (SMALL, "start_s", "a", 1.5),
)


@dataclass(slots=True)
class Results:
    """What the rounds of one loop with one model gave, by figure."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, **values: float) -> None:
        """Note the figures of a round."""
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> float:
        return median(self.values[name])


class Camera:
    """The sender, in a process of its own."""

    def __init__(self, folder: Path, quality: int) -> None:
        command = [sys.executable, str(LOOPS / "server.py"), str(folder), str(quality)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        hello = json.loads(self._process.stdout.readline())
        self._address = f"http://127.0.0.1:{hello['port']}"
        self.kilobytes = hello["kilobytes"]

    def url(self, fps: int) -> str:
        """Of a stream; 0 for as fast as its frames are taken."""
        return f"{self._address}/stream?fps={fps}"

    def sent_s(self) -> list[float]:
        """When the frames of the latest stream were sent."""
        with urllib.request.urlopen(f"{self._address}/sent") as answer:
            found: list[float] = json.load(answer)
            return found

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def run_loop(way: str, model: Path, url: str, frames: int, slow_s: float = 0.0) -> dict[str, Any]:
    """Run one loop to its end; its report."""
    command = command_of(way, model, url, frames, WARMUP, slow_s)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def command_of(
    way: str, model: Path, url: str, frames: int, warmup: int, slow_s: float = 0.0
) -> list[str]:
    """How a loop is started."""
    script, python = {
        "a": ("tutorial.py", sys.executable),
        "b": ("mediapipe_video.py", str(MEDIAPIPE)),
        "c": ("edgecls_camera.py", sys.executable),
    }[way]
    arguments = (model, url, frames, warmup, slow_s)
    return [python, str(LOOPS / script), *map(str, arguments)]


def time_start(way: str, model: Path, url: str) -> float:
    """Seconds from the start of the program (`edgecls camera` itself) to its first prediction."""
    command = command_of(way, model, url, 1, 1)
    if way == "c":
        command = [sys.executable, "-m", "edgecls", "camera", "--json", "--max-frames", "1"]
        command += ["--model", str(model), "--source", url]
    started = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        start_s = time.monotonic() - started
        process.stdout.read()
    return start_s


def main() -> None:
    """Print a table for each model, then ages, then the goals."""
    options = parse_options()
    place = os.environ.get("EDGECLS_DATA")
    if not place:
        print("camera_loop: skipped, EDGECLS_DATA is not set (it names the folder with pictures)")
        return
    data = Path(place)
    # What pip installs is compiled; a checkout that may not keep its bytecode starts 0.05 s later.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    ways = "abc" if MEDIAPIPE.exists() else "ac"
    if ways == "ac":
        print("MediaPipe is left out: 'make interop' installs it")
    camera = Camera(data / "imagenet-100", options.quality)
    print(f"1280x720 MJPEG, {camera.kilobytes} KB a frame; medians of {options.rounds} rounds")
    try:
        results = {model: measure(camera, data / model, ways, options) for model in (SMALL, LARGE)}
        print_parts(data, options.quality)
        print_ages(camera, data, ways)
    finally:
        camera.close()
    print_goals(results)


def parse_options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--quality", type=int, default=75, help="of the JPEGs; libjpeg's own is 75")
    return parser.parse_args()


def measure(
    camera: Camera, model: Path, ways: str, options: argparse.Namespace
) -> dict[str, Results]:
    """Run the loops in turns, so that a busy moment of the machine hits them alike."""
    results = {way: Results() for way in ways}
    for _ in range(options.rounds):
        for way in ways:
            report = run_loop(way, model, camera.url(0), options.frames)
            results[way].add(
                cpu_ms=report["cpu_ms"],
                frame_ms=1e3 / report["fps"],
                rss_mb=report["rss_mb"],
                start_s=time_start(way, model, camera.url(30)),
            )
    print(f"\n{model.name}\n{'':>4} {'CPU ms':>8} {'fps':>8} {'MB':>8} {'start s':>8}")
    for way, found in results.items():
        print(
            f"({way})  {found['cpu_ms']:>8.2f} {1e3 / found['frame_ms']:>8.0f}"
            f" {found['rss_mb']:>8.0f} {found['start_s']:>8.2f}"
        )
    return results


def print_parts(data: Path, quality: int) -> None:
    """What of the smaller model's frames decoding and the model take."""
    script = [sys.executable, str(LOOPS / "parts.py")]
    words = [*script, str(data / SMALL), str(data / "imagenet-100"), str(quality)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    print(f"\n{Path(SMALL).stem}, CPU time {done.stdout.strip()}")


def print_ages(camera: Camera, data: Path, ways: str) -> None:
    """How old frames are when their prediction is there, at 30 frames a second."""
    print(f"\nage of a frame at its prediction, 30 fps\n{'':>36} {'p50 ms':>8} {'p95 ms':>8}")
    for model in (SMALL, LARGE):
        for way in ways:
            print_age(f"({way}) {Path(model).stem}", camera, way, data / model, 0.0)
    print_age(f"(c) made {SLOW_S * 1e3:.0f} ms slower", camera, "c", data / SMALL, SLOW_S)


def print_age(title: str, camera: Camera, way: str, model: Path, slow_s: float) -> None:
    """Print one row."""
    frames = AGE_FRAMES // 4 if slow_s else AGE_FRAMES
    report = run_loop(way, model, camera.url(30), frames, slow_s)
    sent_s = camera.sent_s()
    ages = sorted(
        (predicted_s - sent_s[index]) * 1e3
        for index, predicted_s in report["predicted"]
        if index < len(sent_s)
    )
    print(f"{title:>36} {ages[len(ages) // 2]:>8.1f} {ages[int(len(ages) * 0.95)]:>8.1f}")


def print_goals(results: dict[str, dict[str, Results]]) -> None:
    """Print every ratio of edgecls to another loop beside its goal."""
    print(f"\n{'edgecls / other':>54} {'ratio':>6} {'goal':>6}")
    for model, what, other, most in GOALS:
        if other not in results[model]:
            continue
        ratio = results[model]["c"][what] / results[model][other][what]
        verdict = "met" if ratio <= most else "missed"
        title = f"{Path(model).stem} {what} / ({other})"
        print(f"{title:>54} {ratio:>6.2f} {most:>6.2f}  {verdict}")


if __name__ == "__main__":
    main()
