"""The command `edgecls convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgecls.metrics import Quality
    from edgecls_convert.convert import Conversion


def convert(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN",
            help="Run folder, such as runs/train/3.",
            show_default="the latest in runs/train",
        ),
    ] = None,
    int8: Annotated[  # noqa: ARG001  # the only form so far, and the default one
        bool,
        typer.Option(
            "--int8", help="Full-integer int8, the form for boards.", show_default="always on"
        ),
    ] = True,
    output: Annotated[Path, typer.Option(help="Where to write the model file.")] = Path(
        "model.tflite"
    ),
    max_drop: Annotated[
        float,
        typer.Option(
            help="Points of top-1 accuracy (percent) that int8 may lose on held-out pictures."
        ),
    ] = 1.0,
    calibration: Annotated[
        int, typer.Option(min=1, metavar="N", help="Training pictures to take value ranges from.")
    ] = 200,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Of the choice of those pictures.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Convert a trained run to an int8 model file, and prove that it kept its accuracy.

    The int8 model is measured against the float one on the pictures that training held out, with
    the engine that runs on boards. If it lost too much, nothing is written.

    \b
    Examples:
        edgecls convert --int8
        edgecls convert runs/train/3 --int8 --output birds.tflite --max-drop 0.5
    """
    from edgecls.console import json_line, progress
    from edgecls.contract.run import find_latest_run, open_run
    from edgecls_convert.convert import Settings, convert_run

    settings = Settings(max_drop, calibration, seed)
    source = open_run(run) if run else find_latest_run()
    conversion = convert_run(source, output, settings, progress)
    print(json_line(conversion.to_json()) if as_json else _summary(conversion))


def _summary(conversion: Conversion) -> str:
    from edgecls.console import printable

    found = conversion.comparison
    path = printable(str(conversion.path))
    return "\n".join(
        [
            f"{path}: {conversion.size_bytes / 1024:.0f} KiB,"
            f" {len(conversion.model.card.labels)} labels, calibrated on"
            f" {len(conversion.calibration.images)} training pictures",
            "",
            f"on {found.in_int8.images} held-out pictures",
            f"  float      {_accuracy(found.in_float)}",
            f"  int8       {_accuracy(found.in_int8)}",
            f"  agreement  {found.agreement:6.1%}",
            "",
            f"next: edgecls camera --model {path}",
        ]
    )


def _accuracy(quality: Quality) -> str:
    from edgecls_convert.parity import top1_interval

    low, high = top1_interval(quality)
    return f"{quality.top1:6.1%} right (95% interval {low:.1%} to {high:.1%})"
