"""The process that reads: `python -m tests.fuzz.worker TARGET SEED START END [FILE...]`.

It stands for the product's main process. A line on stdout before each input says which one; a line
after it says what came of it, how much CPU time and memory it took.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgecls.errors import EdgeclsError
from tests.fuzz.target import Target, input_of, load_target


def main() -> None:
    """Read what the arguments ask for."""
    name, seed, start, end, *files = sys.argv[1:]
    target = load_target(name)
    seeds = target.seeds()
    # All libraries are loaded and warm before memory is measured.
    for content in seeds:
        _outcome(target, content)
    told = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no report
    for index, content in _inputs(target, seeds, int(seed), int(start), int(end), files):
        told.write(f"{index}\n")
        before = _reset_peak()
        started = time.process_time()
        found = _outcome(target, content)
        found["seconds"] = round(time.process_time() - started, 4)
        found["grown_mb"] = round((_peak_kb() - before) / 1024, 1)
        told.write(json.dumps(found) + "\n")


def _inputs(
    target: Target, seeds: Sequence[bytes], seed: int, start: int, end: int, files: list[str]
) -> Iterator[tuple[int, bytes]]:
    if files:
        yield from ((index, Path(file).read_bytes()) for index, file in enumerate(files, start))
        return
    for index in range(start, end):
        yield index, input_of(target, seeds, seed, index)


def _outcome(target: Target, content: bytes) -> dict[str, Any]:
    try:
        return {"outcome": target.read(content)}
    except EdgeclsError as refused:
        return {"outcome": f"refused, {type(refused).__name__}"}
    except Exception:  # noqa: BLE001  # this is what is looked for
        return {"outcome": "another error", "finding": traceback.format_exc(limit=-6)}


def _reset_peak() -> int:
    """Forget the highest memory so far; returns what is in use now, in kB."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass
    return _peak_kb()


def _peak_kb() -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
