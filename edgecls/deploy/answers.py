"""What a board may answer, message by message; all else is refused before anybody reads a field.

    edgecls-deploy: {"alive": true}                       at work
    edgecls-deploy: {"step": "copied"}                    each step once, in their order
    edgecls-deploy: {"done": {...}}                       the last one: see `edgecls.deploy.deploy`
    edgecls-deploy: {"problem": "...", "hint": "..."}     or this: why it keeps its old model

Lines that begin otherwise are those of login scripts, and are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from edgecls.contract.json_text import JsonObject, read_object
from edgecls.deploy.board.telling import MARK
from edgecls.errors import DeployError, InvalidValueError

# Of all that a board says, its login scripts included; half an hour of work takes 20 kB.
MOST_BYTES: Final = 1 << 20
_MOST_LINE: Final = 16 << 10
_MARK: Final = MARK.encode()
_HINT: Final = "look at the board: another program answers there than the one that deploys"
_ORDER: Final = ("copied", "verified", "measured", "swapped", "started")
_STATES: Final = ("deployed", "unchanged", "rolled back")
_KEPT: Final = re.compile(r"model\.tflite\.[12]")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_DAY_S: Final = 86_400.0


@dataclass(slots=True)
class Answers:
    """Takes what a board says, in pieces of any size.

    Args:
        last: What it said at last: `done` with the report, or `problem` and `hint`; empty before.
        signs: How many messages there were.
    """

    last: dict[str, Any] = field(default_factory=dict)
    signs: int = 0
    _line: bytearray = field(default_factory=bytearray)
    _bytes: int = 0
    _reached: int = -1

    def feed(self, content: bytes) -> list[dict[str, Any]]:
        """Take some more; the steps in it, each with its facts.

        Raises:
            DeployError: The board says what it may not, or too much.
        """
        self._bytes += len(content)
        if self._bytes > MOST_BYTES:
            raise DeployError(f"the board says more than {MOST_BYTES >> 20} MB", hint=_HINT)
        *lines, rest = content.split(b"\n")
        steps = []
        for line in lines:
            self._line += line
            steps += self._read(bytes(self._line))
            self._line.clear()
        self._line += rest
        return steps

    def end(self) -> list[dict[str, Any]]:
        """Nothing more comes: what is left is a line, too; its steps, as `feed` has them."""
        return self.feed(b"\n")

    def _read(self, line: bytes) -> list[dict[str, Any]]:
        if not line.startswith(_MARK):
            return []
        try:
            said = read_object(line[len(_MARK) :], "the board's answer", most_bytes=_MOST_LINE)
            if self.last:
                raise InvalidValueError("the board's answer: more comes behind the last message")
            self.signs += 1
            return self._take(said)
        except InvalidValueError as wrong:
            raise DeployError(f"{wrong.problem}", hint=_HINT) from wrong

    def _take(self, said: JsonObject) -> list[dict[str, Any]]:
        if "step" in said:
            return [self._to_step(said)]
        if "done" in said:
            self.last = {"done": _to_report(said.child("done"))}
        elif "problem" in said:
            self.last = {"problem": said.path("problem"), "hint": said.path("hint", "")}
        elif "alive" not in said:
            raise InvalidValueError(f"{said.where}: it is none of the known messages")
        return []

    def _to_step(self, said: JsonObject) -> dict[str, Any]:
        name = said.text("step", most=20)
        if name not in _ORDER:
            raise InvalidValueError(f"{said.where}: {name!a} is no step")
        if _ORDER.index(name) <= self._reached:
            raise InvalidValueError(f"{said.where}: {name!a} comes twice, or too late")
        self._reached = _ORDER.index(name)
        facts: dict[str, Any] = {}
        if name == "verified":
            facts = {"vectors": _vectors(said), "runtime": _runtime(said)}
        elif name == "measured":
            facts = {"runtime": _runtime(said), "latency_ms": _latency(said)}
        elif name == "started":
            facts = _to_service(said)
        return {"step": name, **facts}


def read_answers(content: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All steps that a board told, and what it said at last (see `Answers.last`).

    Raises:
        DeployError: It said what it may not.
    """
    answers = Answers()
    steps = [*answers.feed(content), *answers.end()]
    return steps, answers.last


def _to_report(said: JsonObject) -> dict[str, Any]:
    """Fields that this version does not know are left out."""
    state = said.text("state", most=20)
    if state not in _STATES:
        raise InvalidValueError(f"{said.where}: {state!a} is no state")
    report: dict[str, Any] = {
        "model": said.path("model"),
        "state": state,
        "service": None,
        "runtime": _runtime(said),
        "latency_ms": _latency(said),
        "sha256": _sha256(said, "sha256"),
        "kept": said.texts("kept", most=2),
    }
    if not all(map(_KEPT.fullmatch, report["kept"])):
        raise InvalidValueError(f"{said.where}: 'kept' names no earlier models")
    if said.fields.get("service") is not None:
        report["service"] = _to_service(said.child("service"))
    if "vectors" in said:
        report["vectors"] = _vectors(said)
    if "previous" in said:
        is_none = said.fields["previous"] is None
        report["previous"] = None if is_none else _sha256(said, "previous")
    return report


def _to_service(said: JsonObject) -> dict[str, Any]:
    return {"seconds": said.number("seconds", 0.0, _DAY_S), "status": said.path("status")}


def _vectors(said: JsonObject) -> int:
    return said.whole("vectors", 0, 1_000_000)


def _runtime(said: JsonObject) -> str:
    return said.path("runtime", most=200)


def _latency(said: JsonObject) -> Mapping[str, float]:
    found = said.child("latency_ms")
    if len(found.fields) > 20 or "p50" not in found:
        raise InvalidValueError(f"{found.where}: wanted 'p50' and at most 19 more")
    return {name[:20]: found.number(name, 0.0, _DAY_S * 1000) for name in found.fields}


def _sha256(said: JsonObject, name: str) -> str:
    text = said.text(name, most=64)
    if not _SHA256.fullmatch(text):
        raise InvalidValueError(f"{said.where}: {name!a} is no SHA-256")
    return text
