"""`edgecls deploy`: bring a model to boards, and back to the one before where it fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from edgecls.cli.options import JsonOption
from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.deploy import Place, Proven
    from edgecls.deploy.target import Target

_SHOWN_BYTES: Final = 1 << 20  # a smaller model is there before anybody looks


def deploy(
    boards: Annotated[
        list[str], typer.Argument(metavar="BOARD...", help="user@board, or a name that ssh knows.")
    ],
    model: Annotated[
        Path,
        typer.Option("--model", "-m", help="The model file (.tflite)."),
        Reads("model"),
    ] = Path("model.tflite"),
    service: Annotated[
        bool, typer.Option("--service", help="Restart the board's service with the model.")
    ] = False,
    is_back: Annotated[
        bool, typer.Option("--rollback", help="Go back to the model before, instead.")
    ] = False,
    port: Annotated[int | None, typer.Option("--port", "-p", help="Of the board's ssh.")] = None,
    identity: Annotated[
        Path | None,
        typer.Option("--identity", "-i", help="A private key for ssh."),
        Reads("key"),
    ] = None,
    path: Annotated[
        str, typer.Option("--path", help="The model's folder on the board.")
    ] = "/var/lib/edgecls",
    edgecls: Annotated[
        str,
        typer.Option(
            "--edgecls",
            help="edgecls on the board.",
            show_default="/opt/edgecls/venv/bin/edgecls, else on the PATH",
        ),
    ] = "",
    unit: Annotated[
        str, typer.Option("--unit", help="The service that --service restarts.")
    ] = "edgecls-camera.service",
    is_verified: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify", help="Demand that golden vectors come out right, there too."
        ),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Bring a model to boards over ssh: proven here, copied, proven there, swapped in.

    A board that refuses the model, or whose service does not run with it, keeps the one it has.
    The two models before it stay on the board.

    \b
    edgecls deploy pi@raspberrypi.local --model model.tflite
    edgecls deploy pi@hall.local pi@gate.local --model model.tflite --service
    edgecls deploy pi@raspberrypi.local --rollback --service
    """
    from edgecls.deploy import Place, prove
    from edgecls.deploy.target import Target
    from edgecls.errors import DeployError

    targets = [Target(board, port, identity) for board in boards]
    place = Place(path, edgecls, _to_unit(unit) if service else "", is_verified)
    proven = None if is_back else prove(model, is_verified=is_verified)
    failed = 0
    for target in targets:
        try:
            report = _deploy(target, proven, place)
        except DeployError as wrong:
            if len(targets) == 1:
                raise
            failed += 1
            _tell(target.host, f"error: {wrong.problem}" + (f" ({wrong.hint})" * bool(wrong.hint)))
            report = {"error": wrong.problem}
        if as_json:
            print(json_line({"board": target.host, **report}))
        elif "error" not in report:
            print(_describe(target.host, report))
    if failed:
        raise typer.Exit(1)


def _deploy(target: Target, proven: Proven | None, place: Place) -> dict[str, Any]:
    from edgecls.deploy import deploy, roll_back

    def hear(said: Mapping[str, Any]) -> None:
        _tell(target.host, _STEPS[said["step"]](said))

    if proven is None:
        return roll_back(target, place, hear)
    size = len(proven.content)
    shown = progress(f"{target.host}: bytes", size) if size > _SHOWN_BYTES else nullcontext()
    with shown as advance:
        return deploy(target, proven, place, hear, advance or (lambda _: None))


def _to_unit(name: str) -> str:
    from edgecls.errors import InvalidValueError

    if name.startswith("-") or not name.strip():
        raise InvalidValueError(f"{name!r} is no unit of systemd")
    return name if "." in name else f"{name}.service"


def _tell(board: str, text: str) -> None:
    print(f"{board}: {printable(text)}", file=sys.stderr, flush=True)


_STEPS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "copied": lambda _: "copied",
    "verified": lambda said: f"{said['vectors']} golden vectors reproduced on {said['runtime']}",
    "measured": lambda said: (
        f"{said['latency_ms']['p50']:.2f} ms an inference on {said['runtime']}"
    ),
    "swapped": lambda _: "swapped in",
    "started": lambda said: f"the service is ready after {said['seconds']} s: {said['status']}",
}


def _describe(board: str, report: Mapping[str, Any]) -> str:
    states = {
        "deployed": "has the new model",
        "unchanged": "had this model already",
        "rolled back": "is back to the model before",
    }
    kept = f"; kept: {', '.join(report['kept'])}" if report["kept"] else ""
    return printable(f"{board} {states[report['state']]}: {report['model']}{kept}")
