"""What size costs a collection and a review: 100,000 pictures against 1,000, and 1,000 labels.

    python benchmarks/collection.py            in a temporary folder
    python benchmarks/collection.py 20000      of so many pictures

Each is served by a process of its own and asked through HTTP, as a page does. Seconds are those of
a client, so they hold what the machine's other work takes; `cpu_ms` is what the process itself
used. Most pictures are one file of 2x2 pixels under many names: a press looks at none of them.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FEW = 1000
TIMES = 40
FIRST_ANSWER_S = 2.0
ACTION_S = 0.1
# A file may have 65,000 names.
NAMES_OF_A_FILE = 20_000


def main(count: int) -> None:
    """Measure all of it, and print one JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        small = measure_collection(place / "small", FEW)
        large = measure_collection(place / "large", count)
        review = measure_review(place / "seen", place / "into", count)
        labels = measure_labels(place / "labels")
    memory = (large["rss_mb"] - small["rss_mb"]) * 1e6 / (count - FEW)
    ratios = {
        name: round(large[name]["cpu_ms"] / max(small[name]["cpu_ms"], 0.1), 2)
        for name in ("press", "undo", "state", "page")
    }
    found = {
        "pictures": count,
        "collect": large,
        "bytes_a_picture": round(memory),
        f"cpu_against_{FEW}": ratios,
        "review": review,
        "1000_labels": labels,
    }
    print(json.dumps(found))
    slow = [name for name in ("press", "undo") if large[name]["p50_s"] > ACTION_S]
    if slow or max(large["first_answer_s"], review["first_answer_s"]) > FIRST_ANSWER_S:
        sys.exit(f"the promise is {FIRST_ANSWER_S:g} s to the page and {ACTION_S:g} s an action")


def measure_collection(root: Path, count: int) -> dict[str, Any]:
    """`edgecls collect` of so many pictures with two labels."""
    fill(root, count, "collected")
    began = time.monotonic()
    with served("collect", "--source", "fake:digits", str(root)) as (process, port):
        found: dict[str, Any] = {
            "first_answer_s": since(began),
            "first_answer_cpu_s": cpu_s(process),
        }
        while get(port, "/state")["reading"] is not None:
            time.sleep(0.02)
        found["read_s"] = since(began)
        press = {"label": "cat"}
        post(port, "/press", press)
        settle(process)
        found["rss_mb"] = rss_mb(process)
        found["press"] = measure(process, lambda: post(port, "/press", press))
        found["undo"] = measure(process, lambda: post(port, "/undo", {}))
        found["state"] = measure(process, lambda: get(port, "/state"))
        found["page"] = measure(process, lambda: get(port, "/pictures?label=cat&count=120"))
        found["press_after_a_file_of_others_s"] = press_beside_others(root, port)
        found["a_file_of_others_is_seen_s"] = see_file_of_others(root, port)
    return found


def press_beside_others(root: Path, port: int) -> float:
    """The slowest press while others put files into the same folder."""
    slowest = 0.0
    for number in range(10):
        (root / "cat" / f"theirs-{number}.jpg").write_bytes(b"theirs")
        time.sleep(0.3)
        began = time.monotonic()
        post(port, "/press", {"label": "cat"})
        slowest = max(slowest, since(began))
    return slowest


def see_file_of_others(root: Path, port: int) -> float:
    """Seconds until a file that somebody puts into a folder is on the page."""
    before = count_of(port, "dog")
    (root / "dog" / "theirs.jpg").write_bytes(b"theirs")
    began = time.monotonic()
    while count_of(port, "dog") == before:
        time.sleep(0.02)
    return since(began)


def measure_review(root: Path, into: Path, count: int) -> dict[str, Any]:
    """`edgecls review` of so many pictures."""
    fill(root, count, "all")
    began = time.monotonic()
    with served("review", str(root), "--into", str(into)) as (process, port):
        found: dict[str, Any] = {"first_answer_s": since(began)}
        while (get(port, "/state")["reading"] or {}).get("stage") == "reading":
            time.sleep(0.02)
        found["read_s"] = since(began)
        while get(port, "/state")["reading"] is not None:
            time.sleep(0.2)
        found["ready_s"] = since(began)
        ids = [picture["id"] for picture in get(port, "/group")["group"]["pictures"]]
        one = iter(ids)
        accept = measure(process, lambda: post(port, "/accept", {"ids": [next(one)]}))
        found |= {"accept": accept, "rss_mb": rss_mb(process)}
        found["undo"] = measure(process, lambda: post(port, "/undo", {}))
    return found


def measure_labels(root: Path) -> dict[str, Any]:
    """A press where there are a thousand labels: what it costs, and what a page is told."""
    names = ",".join(f"label {number:04}" for number in range(1000))
    command = ("collect", "--source", "fake:digits", "--labels", names, str(root))
    with served(*command) as (process, port), listening(port) as events:
        press = {"label": "label 0500"}
        post(port, "/press", press)
        settle(process)  # the hints that follow from it
        events()
        found = {"press": measure(process, lambda: post(port, "/press", press))}
        return found | {"event_bytes_a_press": round(events() / TIMES)}


def fill(root: Path, count: int, when: str) -> None:
    """A folder as `camera --record` (`all`) and `collect` (`collected`) leave it."""
    import cv2
    import numpy as np

    picture = cv2.imencode(".jpg", np.full((2, 2, 3), 90, np.uint8))[1].tobytes()
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
    first = root
    with (root / "records.jsonl").open("w") as log:
        for number in range(1, count + 1):
            label = ("cat", "dog")[number % 2]
            name = f"{label}/{number:09}-20261129T053558Z.jpg"
            if number % NAMES_OF_A_FILE == 1:
                first = root / name
                first.write_bytes(picture)
            else:
                os.link(first, root / name)
            line = {"file": name, "bytes": len(picture), "time": 1.7e9 + 60 * number}
            more = {"when": when, "label": label, "score": 0.5, "burst": str(number)}
            log.write(json.dumps(line | more) + "\n")


@contextlib.contextmanager
def served(*command: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process of a command that serves a page, and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edgecls", *command, "--listen", "127.0.0.1:0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "http://" in line:
                port = int(line.rsplit(":", 1)[1].strip().strip("/"))
                break
        else:
            sys.exit("it ended before it served anything")
        get(port, "/state")
        yield process, port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stderr.close()


def measure(process: subprocess.Popen[str], act: Callable[[], object]) -> dict[str, float]:
    """Do something many times."""
    seconds = []
    before = cpu_s(process)
    for _ in range(TIMES):
        began = time.monotonic()
        act()
        seconds.append(time.monotonic() - began)
    cpu_ms = (cpu_s(process) - before) * 1000 / TIMES
    p95 = statistics.quantiles(seconds, n=20)[-1]
    return {
        "p50_s": round(statistics.median(seconds), 4),
        "p95_s": round(p95, 4),
        "cpu_ms": round(cpu_ms, 2),
    }


@contextlib.contextmanager
def listening(port: int) -> Iterator[Callable[[], int]]:
    """A page that listens; gives how many bytes it was told since it was asked before."""
    with socket.create_connection(("127.0.0.1", port)) as page:
        page.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        page.settimeout(1)

        def read() -> int:
            count = 0
            with contextlib.suppress(TimeoutError):
                while part := page.recv(1 << 20):
                    count += len(part)
            return count

        yield read


def get(port: int, path: str) -> Any:
    """What is answered."""
    return ask(port, "GET", path, None)


def post(port: int, path: str, body: dict[str, Any]) -> Any:
    """What is answered to a page of the server's own."""
    return ask(port, "POST", path, json.dumps(body))


def ask(port: int, method: str, path: str, body: str | None) -> Any:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}"}
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        found = json.loads(reply.read())
    if reply.status != 200:
        sys.exit(f"{method} {path}: {reply.status} {found}")
    return found


def count_of(port: int, label: str) -> int:
    """Pictures of a label, as the page shows them."""
    return sum(e["count"] for e in get(port, "/state")["labels"] if e["label"] == label)


def since(began: float) -> float:
    """Seconds."""
    return round(time.monotonic() - began, 3)


def rss_mb(process: subprocess.Popen[str]) -> float:
    """Memory of a process."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def settle(process: subprocess.Popen[str]) -> None:
    """Wait until a process has done what nobody waits for."""
    for _ in range(120):
        before = cpu_s(process)
        time.sleep(0.5)
        if cpu_s(process) - before < 0.05:
            return


def cpu_s(process: subprocess.Popen[str]) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
