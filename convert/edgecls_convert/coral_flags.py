"""The flags of `edgecls convert` that are about the Coral Edge TPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from edgecls.storage.targets import Reads

_PANEL: Final = "Coral Edge TPU"

EdgeTpuFlag: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--edgetpu",
        help="For a Coral Edge TPU, too: what it would compute, and where edgetpu_compiler is on"
        " PATH the compiled file.",
        rich_help_panel=_PANEL,
    ),
]
MinMappedFlag: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="PERCENT",
        help="Operators that must run on the Edge TPU; with fewer nothing is written.",
        rich_help_panel=_PANEL,
    ),
]
CompiledFlag: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="What edgetpu_compiler made of RUN, a .tflite file, elsewhere: labels, card and"
        " golden vectors are put in again.",
        rich_help_panel=_PANEL,
    ),
    Reads("compiled"),
]
