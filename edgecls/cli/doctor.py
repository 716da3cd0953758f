"""`edgecls doctor`: what is installed here, and which cameras there are."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from edgecls.cli.coral import examine_coral, print_coral
from edgecls.cli.options import JsonOption, print_warnings
from edgecls.console import json_line, printable

_PACKAGES = (
    "edgecls",
    "edgecls-train",
    "edgecls-convert",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "typer",
    "ai-edge-litert",
    "tflite-runtime",
    "tensorflow",
    "keras",
)


def doctor(
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="Look at this model, too: which runtimes it fools."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the machine, the packages, the engine that would run a model, Edge TPUs and cameras.

    \b
    edgecls doctor
    edgecls doctor --model mobilenet.tflite
    edgecls doctor --json
    """
    found = _examine(model)
    if model is not None:
        found["model_warnings"] = _examine_model(model)
    if as_json:
        print(json_line(found))
        return
    print(f"system      {found['system']}")
    print(f"python      {found['python']}")
    print(f"cores       {found['cores']}")
    for name, installed in found["packages"].items():
        print(f"{name:<24} {installed or 'not installed'}")
    print(f"engine      {found['engine'] or 'none: pip install ai-edge-litert'}")
    print_coral(found["coral"])
    if not found["cameras"]:
        print("cameras     none (plug one in, or use --source fake:colors)")
    for camera in found["cameras"]:
        state = "" if camera["usable"] else "  (not yours to use: join the group video)"
        print(f"camera      {camera['device']}  {printable(camera['name'])}{state}")


def _examine(model: Path | None) -> dict[str, Any]:
    from edgecls.runtimes import installed_runtimes
    from edgecls.sources.camera import find_cameras

    engines = installed_runtimes()
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "engine": engines[0] if engines else None,
        "coral": examine_coral(model),
        "cameras": [
            {
                "device": camera.device,
                "name": camera.name,
                "usable": os.access(camera.device, os.R_OK | os.W_OK),
            }
            for camera in find_cameras()
        ],
    }


def _examine_model(path: Path) -> list[str]:
    """What runtimes would get wrong about a model; said on stderr at once."""
    from edgecls.contract.modelfile import load_model_file
    from edgecls.contract.pitfalls import find_pitfalls

    file = load_model_file(path)
    print_warnings(file)
    return list(find_pitfalls(file.structure))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
