"""`edgecls doctor`: what is here, and what stands between it and a running camera loop."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from edgecls.cli.coral import no_coral, print_coral
from edgecls.cli.options import JsonOption, print_warnings
from edgecls.cli.profiles import ProfileOption
from edgecls.console import json_line, printable
from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.contract.modelfile import ModelFile
    from edgecls.doctor import Finding, System
    from edgecls.doctor.edgetpu import Coral
    from edgecls.profile import Profile

_MARKS: Final = {"blocking": "STOPS ", "warning": "warning", "note": "note"}


def doctor(
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="Is this model for this machine, too?"),
        Reads("model"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            "-s",
            help="What the camera loop will read; a network camera needs no other.",
        ),
        Reads("source"),
    ] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find what keeps the camera loop from running here, or running well, each with its cure.

    Shows the board and its profile, packages, the engine, Edge TPUs and cameras. Exit code 1 if
    something makes the camera loop impossible.

    \b
    edgecls doctor
    edgecls doctor --model model.tflite --source rtsp://camera.local/stream
    edgecls doctor --json
    """
    from edgecls.doctor.system import this_system
    from edgecls.profile import choose_profile
    from edgecls.profile.board import read_board

    system = this_system()
    board = read_board(system.root)
    chosen = choose_profile(profile, board)
    file = None if model is None else _load(model)
    coral = _ask_coral(system, chosen, file)
    findings = _find(system, chosen, source or "", file, coral)
    found = _describe(system, findings, coral)
    found |= {"board": board.model, "memory_mb": board.memory_mb, "profile": chosen.to_json()}
    if file is not None:
        found["model_warnings"] = _warn(file, chosen)
    if as_json:
        print(json_line(found))
    else:
        _show(found, is_detected=profile is None)
        _show_findings(findings)
    if any(finding.state == "blocking" for finding in findings):
        raise typer.Exit(1)


def _find(
    system: System, profile: Profile, source: str, file: ModelFile | None, coral: Coral | None
) -> list[Finding]:
    from edgecls.doctor import examine

    size = 0 if file is None else len(file.flatbuffer)
    findings = list(examine(system, profile, source=source, model_bytes=size))
    if coral is not None:
        from edgecls.doctor.edgetpu import check_coral

        findings += check_coral(coral)
    return findings


def _ask_coral(system: System, profile: Profile, file: ModelFile | None) -> Coral | None:
    """None where nothing can be asked: without numpy there is no engine, and no talk of it."""
    try:
        from edgecls.doctor.edgetpu import examine_coral
    except ImportError:
        return None
    return examine_coral(system, profile, file)


def _load(path: Path) -> ModelFile:
    from edgecls.contract.modelfile import load_model_file

    return load_model_file(path)


def _warn(file: ModelFile, profile: Profile) -> list[str]:
    """What runtimes would get wrong about a model, and what is too much for this board."""
    from edgecls.contract.pitfalls import find_pitfalls

    print_warnings(file)
    doubts = profile.doubts(len(file.flatbuffer), file.card.preprocessing.size)
    return [*find_pitfalls(file.structure), *doubts]


def _describe(system: System, findings: list[Finding], coral: Coral | None) -> dict[str, Any]:
    import importlib.util

    from edgecls.doctor.cameras import find_cameras
    from edgecls.doctor.system import describe_system
    from edgecls.profile.board import read_board

    engines = {"ai_edge_litert": "litert", "tflite_runtime": "tflite_runtime"}
    installed = [name for module, name in engines.items() if importlib.util.find_spec(module)]
    return {
        "system": describe_system(),
        "python": platform.python_version(),
        "cores": read_board(system.root).cores,
        "packages": dict(system.python.packages),
        "engine": installed[0] if installed else None,
        "coral": no_coral() if coral is None else coral.to_json(),
        "cameras": [
            {"device": each.device, "name": each.name, "usable": not each.problem}
            for each in find_cameras(system)
        ],
        "findings": [finding.to_json() for finding in findings],
    }


def _show(found: dict[str, Any], *, is_detected: bool) -> None:
    print(f"board       {printable(found['board']) or 'not known'}")
    profile = " with ".join((found["profile"]["name"], *found["profile"]["extras"]))
    print(f"profile     {printable(profile)} ({'detected' if is_detected else 'chosen'})")
    print(f"system      {found['system']}")
    print(f"python      {found['python']}")
    print(f"cores       {found['cores']}")
    for name, installed in found["packages"].items():
        print(f"{name:<24} {installed or 'not installed'}")
    print(f"engine      {found['engine'] or 'none'}")
    print_coral(found["coral"])
    if not found["cameras"]:
        print("cameras     none")
    for camera in found["cameras"]:
        state = "" if camera["usable"] else "  (not usable now, see below)"
        print(f"camera      {printable(camera['device'])}  {printable(camera['name'])}{state}")
    for warning in found.get("model_warnings", ()):
        print(f"model       {printable(warning)}")


def _show_findings(findings: list[Finding]) -> None:
    wrong = [finding for finding in findings if finding.state != "ok"]
    print()
    for finding in sorted(wrong, key=lambda each: list(_MARKS).index(each.state)):
        print(f"{_MARKS[finding.state]:<8} {finding.check}: {printable(finding.text)}")
        if finding.cure:
            print(f"         cure: {printable(finding.cure)}")
    stops = sum(finding.state == "blocking" for finding in wrong)
    if stops:
        print(f"the camera loop cannot run here yet: {stops} of the above stop it")
    else:
        print("the camera loop can run here")
