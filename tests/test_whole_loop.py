"""The whole loop: collect, train, convert, camera, review, train again; and the model is better.

The pictures are made: rings and crosses, bright on a dark ground. The camera then hangs where they
are dark on a bright ground, which nobody had thought of when the first pictures were collected.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from edgecls.cli.main import make_app
from edgecls.imaging.opencv import cv2
from tests.support.browser import browser, page
from tests.support.mjpeg_server import HEAD, MjpegServer, part
from tests.support.patience import patience

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["browser", "page"]

LABELS = ("cross", "ring")
COLLECTED = 16
RECORDED = 24
HELD_OUT = 20
TRAIN = ("--recipe", "cnn", "--epochs", 25, "--imgsz", 24, "--batch-size", 8, "--json")
# A loss of one of five test pictures is 20 points here, and means nothing.
CONVERT = ("--max-drop", 100, "--max-class-drop", 100)
LEAST_GAIN = 0.1


def drawn(label: str, seed: int, *, is_inverted: bool = False) -> Any:
    """A ring or a cross: its place, size, angle, ink and noise are drawn by `seed`."""
    random = np.random.default_rng(seed)
    image = np.full((48, 48), random.uniform(20, 60), np.float32)
    y, x = random.uniform(18, 30, 2)
    radius, angle, ink = random.uniform(10, 15), random.uniform(-0.4, 0.4), random.uniform(180, 240)
    width = int(random.integers(4, 7))
    if label == "ring":
        cv2.circle(image, (int(x), int(y)), int(radius), float(ink), width)
    else:
        for turn in (angle, angle + np.pi / 2):
            dx, dy = radius * np.cos(turn), radius * np.sin(turn)
            ends = [(int(x + sign * dx), int(y + sign * dy)) for sign in (1, -1)]
            cv2.line(image, ends[0], ends[1], float(ink), width)
    image += random.normal(0, 6, image.shape)
    gray = np.clip(255 - image if is_inverted else image, 0, 255).astype(np.uint8)
    return np.repeat(gray[:, :, None], 3, axis=2)


def write(folder: Path, count: int, first_seed: int, *, is_inverted: bool) -> None:
    """Pictures in a folder for each label, whose names say what they show."""
    for number, label in enumerate(LABELS):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for seed in range(first_seed + 1000 * number, first_seed + 1000 * number + count):
            frame = drawn(label, seed, is_inverted=is_inverted)
            cv2.imwrite(str(folder / label / f"{label}-{seed}-{is_inverted:d}.png"), frame)


class ShownCamera(MjpegServer):
    """A network camera before which somebody puts one thing after the other."""

    def __init__(self) -> None:
        self.frame = drawn(LABELS[0], 0)
        super().__init__(self._stream)

    def _stream(self, client: socket.socket, _request: bytes) -> None:
        client.sendall(HEAD)
        while True:
            client.sendall(part(cv2.imencode(".jpg", self.frame)[1].tobytes()))
            time.sleep(0.03)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Runs a command in an empty folder; gives the last line of its JSON."""
    monkeypatch.chdir(tmp_path)
    app, runner = make_app(), CliRunner()

    def run(*arguments: object) -> dict[str, Any]:
        result = runner.invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.stderr
        found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
        return found

    return run


@contextlib.contextmanager
def served(*arguments: object) -> Iterator[str]:
    """A command with a page, ended by Ctrl-C; gives the page's address."""
    command = [sys.executable, "-m", "edgecls", *map(str, arguments), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            yield next(found[0] for line in lines if (found := re.search(r"http://\S+/", line)))
            process.send_signal(signal.SIGINT)
            process.stderr.read()
            assert process.wait(patience(10.0)) == 130
        finally:
            process.kill()


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + patience(10.0)
    while not is_so():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.02)


def collect(page: Page, folder: Path) -> None:
    """Show one thing after the other to the camera, and press its key on the page."""
    with contextlib.closing(ShownCamera()) as camera:
        options = ("--labels", ",".join(LABELS), "--source", camera.url())
        with served("collect", *options, folder) as url:
            page.goto(url)
            page.locator("#source.good").wait_for()
            for key, label in enumerate(LABELS, start=1):
                for seed in range(COLLECTED):
                    camera.frame = drawn(label, 1000 * key + seed)
                    time.sleep(patience(0.3))  # until it is before the lens
                    page.keyboard.press(str(key))
                    wait_until(
                        lambda label=label, seed=seed: len(kept(folder, label)) == seed + 1,
                        f"{seed + 1} of {label} are kept",
                    )


def kept(folder: Path, label: str) -> list[Path]:
    return list((folder / label).glob("*.jpg"))


def review(page: Page, folder: Path, into: Path) -> int:
    """Look at every recorded picture, and press the key of what it shows; gives their number."""
    shows = {}
    for line in (folder / "records.jsonl").read_text().splitlines():
        record = json.loads(line)
        source_file = Path(record["source_file"])
        shows[Path(record["file"]).name] = source_file.parent.name
    with served("review", folder, "--into", into) as url:
        page.goto(url)
        decided = 0
        while decided < len(shows):
            page.locator("#main[aria-busy=false]").wait_for()
            labels = look_at_group(page, shows)
            for number, label in enumerate(labels):
                if label != labels[0]:
                    page.locator("#pictures button").nth(number).click()
            page.keyboard.press(str(1 + LABELS.index(labels[0])))
            decided += labels.count(labels[0])
            page.locator("#done", has_text=f"{decided} of {len(shows)} decided").wait_for()
        page.locator("#over-title").wait_for()
    return decided


def look_at_group(page: Page, shows: dict[str, str]) -> list[str]:
    """What each picture of the group shows, as who looks at it sees."""
    labels = []
    for number in range(page.locator("#pictures button").count()):
        page.locator("#pictures button").nth(number).focus()
        name = page.inner_text("#caption").partition(":")[0]
        labels.append(shows[name])
    return labels


@pytest.mark.slow
def test_what_was_reviewed_makes_the_next_model_better(
    cli: Callable[..., dict[str, Any]], page: Page, tmp_path: Path
) -> None:
    pytest.importorskip("tensorflow", reason="converting needs TensorFlow (edgecls-convert)")
    pictures, seen = tmp_path / "pictures", tmp_path / "seen"
    for is_inverted in (False, True):
        write(tmp_path / "held-out", HELD_OUT, 50_000, is_inverted=is_inverted)
    write(tmp_path / "street", RECORDED, 90_000, is_inverted=True)

    collect(page, pictures)
    assert [len(kept(pictures, label)) for label in LABELS] == [COLLECTED] * 2
    cli("train", pictures, *TRAIN)
    cli("convert", *CONVERT, "--output", "first.tflite", "--json")
    before = cli("evaluate", "--model", "first.tflite", "held-out", "--json")["top1"]

    record = ("--record", seen, "--record-below", 0.99, "--record-alike")
    summary = cli(
        "camera", "--model", "first.tflite", "--source", "street", *record, "--json", "--no-verify"
    )
    recorded = summary["sinks"][f"record {seen}"]["recorded"]
    assert review(page, seen, pictures) == recorded
    assert sum(len(kept(pictures, label)) for label in LABELS) == 2 * COLLECTED + recorded

    cli("train", pictures, *TRAIN)
    cli("convert", *CONVERT, "--output", "second.tflite", "--json")
    after = cli("evaluate", "--model", "second.tflite", "held-out", "--json")["top1"]
    assert after >= before + LEAST_GAIN
    shutil.rmtree(tmp_path / "runs")
    print(f"held-out pictures right: {before:.1%} before the review, {after:.1%} after it")
