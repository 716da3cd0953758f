"""What a board answers to `edgecls deploy`."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any, Final

from edgecls.console import json_line
from edgecls.deploy.answers import read_answers
from edgecls.deploy.board.telling import MARK
from tests.fuzz.mutations import mutate, mutate_json
from tests.fuzz.target import Target

_LATENCY: Final = {"p50": 1.5, "p95": 2.0}
_STEPS: Final = (
    {"alive": True},
    {"step": "copied"},
    {"step": "verified", "vectors": 3, "runtime": "litert 2.3.0"},
    {"step": "measured", "runtime": "litert 2.3.0", "latency_ms": _LATENCY},
    {"step": "swapped"},
    {"step": "started", "seconds": 1.5, "status": "camera: 30 fps"},
)
_REPORT: Final = {
    "model": "/var/lib/edgecls/model.tflite",
    "state": "deployed",
    "service": {"seconds": 1.5, "status": "camera: 30 fps"},
    "runtime": "litert 2.3.0",
    "latency_ms": _LATENCY,
    "sha256": "0" * 64,
    "kept": ["model.tflite.1"],
    "vectors": 3,
    "previous": "1" * 64,
}
_LAST: Final = ({"done": _REPORT}, {"problem": "the model is refused", "hint": "convert again"})


def _seeds() -> list[bytes]:
    return [_to_lines([*_STEPS, last]) for last in _LAST]


def _to_lines(messages: Sequence[Any]) -> bytes:
    lines = [f"{MARK}{json.dumps(message)}\n" for message in messages]
    return "".join(["Linux raspberrypi 6.6\n", *lines]).encode()


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    lines = chance.choice(seeds).splitlines(keepends=True)
    for _ in range(chance.randint(0, 2)):
        place = chance.randrange(len(lines))
        kind = chance.random()
        if kind < 0.2:
            lines.insert(place, chance.choice(lines))
        elif kind < 0.3 and len(lines) > 1:
            del lines[place]
        elif lines[place].startswith(MARK.encode()):
            sound = json.dumps(chance.choice((*_STEPS, *_LAST))).encode()
            lines[place] = MARK.encode() + mutate_json(chance, sound, seeds) + b"\n"
    content = b"".join(lines)
    if chance.random() < 0.02:
        content += chance.choice((b"x", b"\n", b"\0", lines[-1])) * 200_000
    return content if chance.random() < 0.8 else mutate(chance, content, seeds)


def read(content: bytes) -> str:
    """Read it as `edgecls deploy` does; what it says must go into a line of JSON."""
    steps, last = read_answers(content)
    json.loads(json_line({"steps": steps, **last}))
    return "done" if "done" in last else "refused by the board" if last else "broken off"


TARGET: Final = Target("answers of boards", _seeds, _mutate, read, limit_s=5.0, memory_mb=50)
