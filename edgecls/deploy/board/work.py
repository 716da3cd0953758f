"""Carries out one order: takes a model, tries it, puts it in its place, and back where it fails.

Standard input has the order (one line of JSON) and then the model's bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from edgecls.deploy.board.folder import Folder
from edgecls.deploy.board.shelf import NAME, Shelf
from edgecls.deploy.board.telling import Refusal, say, signs_of_life
from edgecls.deploy.board.unit import Unit

PROGRAMS = ("/opt/edgecls/venv/bin/edgecls", "edgecls", "~/edgecls/bin/edgecls")
SPARE_BYTES = 16 << 20
SELF_TEST_S = 300.0
_FOR_EDGE_TPU = b"edgetpu-custom-op"
_OLD_ENGINE = "its 32-bit system has another engine: use a 64-bit one where the board can run it"


def main() -> None:
    """Carry out one order; once the model is there, also when the connection breaks off."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signs_of_life():
        order = json.loads(sys.stdin.buffer.readline())
        last: dict[str, Any]
        try:
            last = {"done": carry_out(order, sys.stdin.buffer)}
        except Refusal as refusal:
            last = {"problem": refusal.problem, "hint": refusal.hint}
        except OSError as wrong:
            last = {"problem": f"the board says: {wrong}", "hint": ""}
    say(**last)  # nothing comes behind it


def carry_out(order: dict[str, Any], stream: IO[bytes]) -> dict[str, Any]:
    """Check what can be checked at once, take the model, try it, put it in its place.

    Args:
        order: `folder`, `program` (empty: looked for), `unit` (empty: none), `is_back` (to the
            model before, instead of a new one), `bytes` and `sha256` of the new one,
            `is_verified` (golden vectors must come out right), `prove_s` (the unit must run on).
        stream: The new model.
    """
    program = find_program(order["program"])
    unit = Unit(order["unit"], order["prove_s"]) if order["unit"] else None
    with contextlib.ExitStack() as closing:
        folder = Folder.open(find_folder(order["folder"]))
        closing.callback(folder.close)
        shelf = Shelf(folder)
        closing.enter_context(shelf.locked())
        place = closing.enter_context(folder.temporary())
        if order["is_back"]:
            shelf.copy_previous(place)
        else:
            receive(order, stream, place)
        return bring(order, shelf, place, program, unit)


def bring(
    order: dict[str, Any], shelf: Shelf, place: Folder, program: str, unit: Unit | None
) -> dict[str, Any]:
    """Try the model that lies in `place`, and put it on the shelf if it is another one."""
    candidate = Shelf(place)
    is_new = candidate.fingerprint() != shelf.fingerprint()
    report: dict[str, Any] = {"model": str(shelf.model), "state": "unchanged", "service": None}
    with accelerator_free(place, unit):
        report |= try_out(program, candidate.model, is_verified=order["is_verified"])
        if is_new:
            report |= take_up(shelf, place, unit, is_back=order["is_back"])
        elif unit is not None:
            report["service"] = unit.start()
    return {**report, "sha256": shelf.fingerprint(), "kept": shelf.kept}


def find_folder(asked: str) -> Path:
    """The model's folder; `~` is the user's home there."""
    try:
        return Path(asked).expanduser()
    except RuntimeError:
        raise Refusal(f"{asked!r} is the home of nobody on the board", "check --path") from None


def find_program(asked: str) -> str:
    """The board's `edgecls`."""
    for name in (asked,) if asked else PROGRAMS:
        found = shutil.which(os.path.expanduser(name))
        if found:
            return found
    if asked:
        raise Refusal(f"there is no program {asked!r} on the board", "check --edgecls")
    raise Refusal(
        "edgecls is not installed on the board",
        "run setup.sh there (see devices/), or say with --edgecls where it is",
    )


def receive(order: dict[str, Any], stream: IO[bytes], place: Folder) -> None:
    """The model, whole and on the disk, in a folder that nobody looks into."""
    left, found = order["bytes"], hashlib.sha256()
    free = place.free_bytes()
    if free < left + SPARE_BYTES:
        raise Refusal(
            f"the board's disk is full: {free / 1e6:.1f} MB are free at {place.path.parent}, and"
            f" {(left + SPARE_BYTES) / 1e6:.1f} MB are wanted",
            "make room there",
        )
    try:
        with place.make_file(NAME, 0o644) as file:
            while left and (chunk := stream.read(min(left, 1 << 16))):
                file.write(chunk)
                found.update(chunk)
                left -= len(chunk)
            file.flush()
            os.fsync(file.fileno())
    except OSError as wrong:
        raise Refusal(f"the model cannot be written on the board: {wrong.strerror}") from None
    if left or found.hexdigest() != order["sha256"]:
        raise Refusal("the model did not arrive whole", "try again")
    say(step="copied")


@contextlib.contextmanager
def accelerator_free(place: Folder, unit: Unit | None) -> Iterator[None]:
    """Only one process can hold the Edge TPU: the service lets go of it, and comes back."""
    with place.open_file(NAME) as file:
        is_for_edge_tpu = _FOR_EDGE_TPU in file.read()
    is_stopped = unit is not None and is_for_edge_tpu and unit.is_wanted
    if unit is not None and is_stopped:
        unit.stop()
    try:
        yield
    except BaseException:
        # It may be back with the old model already; a step is told once.
        if unit is not None and is_stopped and not unit.is_wanted:
            with contextlib.suppress(Refusal):
                unit.start()
        raise


def try_out(program: str, model: Path, *, is_verified: bool) -> dict[str, Any]:
    """The self-test: golden vectors, and one run that is timed."""
    report: dict[str, Any] = {}
    if is_verified:
        report = ask(_VERIFIED, program, "verify", str(model), "--json")
        say(step="verified", **report)
    words = (program, "bench", "--model", str(model), "--seconds", "1", "--json")
    report = {**ask(_MEASURED, *words), **report}
    say(step="measured", **report)
    return report


def _is_latency(value: Any) -> bool:
    return isinstance(value, dict) and "p50" in value and all(map(_is_number, value.values()))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


_VERIFIED: Mapping[str, Callable[[Any], bool]] = {
    "vectors": lambda value: type(value) is int,
    "runtime": lambda value: isinstance(value, str),
}
_MEASURED: Mapping[str, Callable[[Any], bool]] = {
    "runtime": lambda value: isinstance(value, str),
    "latency_ms": _is_latency,
}


def ask(fields: Mapping[str, Callable[[Any], bool]], *command: str) -> dict[str, Any]:
    """These fields of what a command of edgecls says; why it failed, in its own words.

    Args:
        fields: Whether the value of a field is right.
        command: Its words.
    """
    name = f"'edgecls {command[1]}'"
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=SELF_TEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Refusal(f"{name} did not end within {SELF_TEST_S:g} s on the board") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace")
        raise explain(name, done.returncode, said, os.uname().machine)
    with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
        answer = json.loads(done.stdout.splitlines()[-1])
        if all(is_right(answer[field]) for field, is_right in fields.items()):
            return {field: answer[field] for field in fields}
    raise Refusal(f"{name} gave no answer on the board", "update edgecls there")


def explain(name: str, code: int, said: str, machine: str) -> Refusal:
    """Why a command of edgecls failed on the board, in its own words where it has any."""
    problem = re.search(r"^error: (.*)$", said, re.MULTILINE)
    if problem is None:
        last = said.strip().rpartition("\n")[2]
        return Refusal(f"{name} failed on the board ({code}): {last}", "update edgecls there")
    hint = re.search(r"^ +hint: (.*)$", said, re.MULTILINE)
    is_old_engine = machine.startswith("armv") and "computes otherwise" in problem[1]
    return Refusal(
        f"the board refuses it: {problem[1]}",
        _OLD_ENGINE if is_old_engine else hint[1] if hint else "",
    )


def take_up(shelf: Shelf, place: Folder, unit: Unit | None, *, is_back: bool) -> dict[str, Any]:
    """Swap; where the service does not run with it, swap back and say why."""
    before = shelf.fingerprint()
    shelf.swap(place)
    say(step="swapped")
    try:
        state = None if unit is None else unit.restart()
    except Refusal as failure:
        shelf.swap_back()
        raise Refusal(f"{failure.problem}; {_go_back(unit, before)}", failure.hint) from None
    if is_back:
        shelf.settle_back()
    else:
        shelf.settle()
    return {"state": "rolled back" if is_back else "deployed", "previous": before, "service": state}


def _go_back(unit: Unit | None, before: str | None) -> str:
    """Start the service with the old model, and say how that went."""
    if unit is None or before is None:
        return "the board had no model before, and has none now"
    try:
        return f"the old model is back ({unit.restart()['status']})"
    except Refusal as again:
        return f"the old model is back, but does not run either: {again.problem}"
