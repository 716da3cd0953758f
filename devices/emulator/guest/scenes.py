"""What a camera can do to a board, in the emulated machine; prints a line of JSON for each scene.

Run there: python3 scenes_vivid.py or scenes_usb.py, which use this.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODEL = "digits.tflite"
DEVICE = "/dev/video0"
LARGE = ("640", "480", "10", "large-0.jpg", "large-1.jpg")
# An emulated machine is some 20 times slower than a board, and shares its cores.
PATIENCE_S = 60.0


def tell(scene: str, **found: Any) -> None:
    """One line for the tests outside."""
    print("SCENE " + json.dumps({"scene": scene, **found}), flush=True)


def wait_for(what: Callable[[], Any], limit_s: float = PATIENCE_S) -> Any:
    """Wait until `what` gives something true, and give it; what it gives at last, in any case."""
    end = time.monotonic() + limit_s
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def edgecls(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the product."""
    return subprocess.run(
        [sys.executable, "-m", "edgecls", *arguments], capture_output=True, text=True, check=False
    )


class Plug:
    """The webcam's cable."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def push_in(self, webcam: tuple[str, ...]) -> None:
        """Until the kernel has made its file."""
        self._process = subprocess.Popen([sys.executable, "-S", "-E", "webcam.py", *webcam])
        wait_for_device()

    def pull(self) -> None:
        """At once, as a cable is pulled."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def signal(self, number: int) -> None:
        """To the webcam."""
        assert self._process is not None
        self._process.send_signal(number)


class CameraCommand:
    """`edgecls camera` on the device, and its events as they come."""

    def __init__(self, *arguments: str) -> None:
        command = ("camera", "--model", MODEL, "--source", "0", "--json", *arguments)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edgecls", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.wait_for_predictions(5)

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.events.extend(json.loads(line) for line in self._process.stdout)

    def of(self, kind: str, since: int = 0) -> list[dict[str, Any]]:
        """Events of a kind, from event `since` on."""
        return [event for event in self.events[since:] if event["event"] == kind]

    def wait_for_predictions(self, count: int, since: int = 0) -> None:
        """Until there are so many from event `since` on."""
        wait_for(lambda: len(self.of("prediction", since)) >= count)

    def go_through(self, scene: str, harm: Callable[[], None], cure: Callable[[], None]) -> None:
        """Harm the camera, cure it when the loop has noticed, and tell how long both took."""
        since, harmed_s = len(self.events), time.time()
        harm()
        lost = wait_for(lambda: [e for e in self.of("source", since) if e["state"] == "lost"])
        cure()
        cured_s = time.time()
        back = wait_for(lambda: [e for e in self.of("source", since) if e["state"] == "back"])
        seen = len(self.events)
        self.wait_for_predictions(3, seen)
        tell(
            scene,
            states=[event["state"] for event in self.of("source", since)],
            reason=lost[0].get("reason") if lost else None,
            lost_after_s=round(lost[0]["time"] - harmed_s, 2) if lost else None,
            back_after_s=round(back[0]["time"] - cured_s, 2) if back else None,
            predictions_after=len(self.of("prediction", seen)),
        )

    def stop(self) -> None:
        """End it as Ctrl-C does, and tell how it ended."""
        self._process.send_signal(2)
        assert self._process.stderr is not None
        complaint = self._process.stderr.read()
        code = self._process.wait()
        self._reader.join()
        labels = sorted({event["label"] for event in self.of("prediction")})
        summary = self.events[-1] if self.events else {}
        tell("end", code=code, stderr=complaint, labels=labels, summary=summary)


def wait_for_device() -> None:
    """Until the kernel has made the camera's file."""
    wait_for(lambda: os.path.exists(DEVICE))


def write(path: str, text: str) -> None:
    """Into a file of the kernel."""
    Path(path).write_text(text)
