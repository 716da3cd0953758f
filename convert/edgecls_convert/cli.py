"""The command `edgecls convert`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from edgecls.storage.targets import MODEL, Reads, Writes
from edgecls_convert.coral_flags import CompiledFlag, EdgeTpuFlag, MinMappedFlag

if TYPE_CHECKING:
    from edgecls.metrics import Quality
    from edgecls_convert.admission import Admitted
    from edgecls_convert.convert import Conversion
    from edgecls_convert.foreign import ForeignSettings
    from edgecls_convert.forms import Target


_FORM: Final = "Form"
_FOREIGN: Final = "A .keras file without a run"


def convert(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN",
            help="Run folder, such as runs/train/3; or a .keras file, with --data; or a .tflite"
            " file, with --edgetpu.",
            show_default="the latest in runs/train",
        ),
        Reads("run"),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Full-integer int8, the form for boards.",
            show_default="unless --form says otherwise",
            rich_help_panel=_FORM,
        ),
    ] = False,
    form: Annotated[
        str | None,
        typer.Option(
            metavar="FORM",
            help="int8: smallest and fastest, rounding is measured. float32: nothing is rounded,"
            " 4 times the size, about twice the time. float16: half of float32's size, its time."
            " dynamic: size of int8, slower than float32. per-tensor: int8 for old"
            " compilers, loses points on depthwise convolutions. int16x8: hardly any rounding,"
            " some 90 times slower.",
            rich_help_panel=_FORM,
        ),
    ] = None,
    input_type: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="Of the image: uint8, int8 or float32 (one more step, 4 times the memory); floats"
            " of 0 to 255. Forms that are not int8 take float32.",
            show_default="uint8 for int8",
            rich_help_panel=_FORM,
        ),
    ] = None,
    output_type: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="Of the scores: uint8, int8 or float32 (one more step).",
            show_default="uint8 for int8",
            rich_help_panel=_FORM,
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(help="Where to write the model file."),
        Writes(MODEL),
    ] = Path("model.tflite"),
    max_drop: Annotated[
        float,
        typer.Option(
            help="Points of top-1 accuracy (percent) that the form may lose on held-out pictures."
        ),
    ] = 1.0,
    max_class_drop: Annotated[
        float,
        typer.Option(
            help="The same for the recall of any single class; a loss that chance explains does"
            " not count."
        ),
    ] = 5.0,
    min_agreement: Annotated[
        float,
        typer.Option(
            help="Percent of the held-out pictures to which both must give the same answer."
        ),
    ] = 75.0,
    remedy: Annotated[
        bool | None,
        typer.Option(
            "--remedy/--no-remedy",
            help="Try remedies: other calibration pictures, bias correction, equalization, a short"
            " fine-tune (minutes); always, or never.",
            show_default="where too much was lost",
        ),
    ] = None,
    layers: Annotated[
        bool,
        typer.Option("--layers", help="Show what each layer loses, and draw it as a page."),
    ] = False,
    calibration: Annotated[
        int, typer.Option(min=1, metavar="N", help="Training pictures to take value ranges from.")
    ] = 200,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Of the choice of those pictures.")
    ] = 0,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Pictures, one folder a class: for a .keras file; or where those of a run are"
            " now.",
        ),
        Reads("data"),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Label file in the order of the scores, one name a line.",
            show_default="the folders' names in alphabetical order",
            rich_help_panel=_FOREIGN,
        ),
        Reads("labels"),
    ] = None,
    rescale: Annotated[
        str | None,
        typer.Option(
            metavar="RANGE",
            help="Put a layer before the model that scales pixels to 0..1 or -1..1; none: it takes"
            " 0 to 255 itself.",
            show_default="none, checked",
            rich_help_panel=_FOREIGN,
        ),
    ] = None,
    crop: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="How pictures of another shape are fitted: center, stretch or pad, as in its"
            " training.",
            show_default="center",
            rich_help_panel=_FOREIGN,
        ),
    ] = None,
    is_for_edgetpu: EdgeTpuFlag = False,
    min_mapped: MinMappedFlag = 0.0,
    compiled: CompiledFlag = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Convert a trained model to an int8 model file, and prove that it kept its accuracy.

    The int8 model is measured against the float one on the pictures that training held out, with
    the engine that runs on boards. If it lost too much, nothing is written. Other forms pass the
    same gate.

    \b
    Examples:
        edgecls convert --int8
        edgecls convert runs/train/3 --int8 --output birds.tflite --max-drop 0.5
        edgecls convert birds.keras --data pictures/birds --labels birds.txt
        edgecls convert --int8 --edgetpu --min-mapped 90
        edgecls convert model.tflite --edgetpu --compiled model_edgetpu.tflite
    """
    from edgecls.console import json_line, progress
    from edgecls_convert.convert import Settings, check_output, convert_source
    from edgecls_convert.opening import open_source

    if is_for_edgetpu and run is not None and run.suffix == ".tflite":
        _convert_to_edgetpu(run, min_mapped, compiled, as_json=as_json)
        return
    if compiled is not None:
        raise typer.BadParameter("--compiled goes with --edgetpu and a .tflite file")
    check_output(output)
    settings = Settings(
        max_drop=max_drop,
        max_class_drop=max_class_drop,
        min_agreement=min_agreement,
        remedy="needed" if remedy is None else "all" if remedy else "none",
        shows_layers=layers,
        calibration=calibration,
        seed=seed,
        target=_choose_target(int8, form, input_type, output_type),
        is_for_edgetpu=is_for_edgetpu,
        min_mapped=min_mapped,
    )
    source = open_source(run, data, _foreign_settings(run, labels, rescale, crop, seed))
    conversion = convert_source(source, output, settings, progress, _warn)
    print(json_line(conversion.to_json()) if as_json else _summary(conversion))


def _convert_to_edgetpu(
    model: Path, min_mapped: float, compiled: Path | None, *, as_json: bool
) -> None:
    from edgecls.console import json_line, printable, progress
    from edgecls_convert.edgetpu import check_edgetpu_choice, make_edgetpu_form

    check_edgetpu_choice("int8", min_mapped, is_chosen=True)
    form = make_edgetpu_form(model, progress, min_mapped, compiled)
    if as_json:
        print(json_line({"edgetpu": form.to_json()}))
    else:
        print("\n".join(printable(line) for line in form.to_lines()))


def _choose_target(
    int8: bool, form: str | None, input_type: str | None, output_type: str | None
) -> Target:
    from edgecls.errors import InvalidValueError
    from edgecls_convert.forms import Target

    if int8 and form not in (None, "int8"):
        raise typer.BadParameter(f"--int8 and --form {form}: which of the two?")
    try:
        return Target(form or "int8", input_type or "", output_type or "")  # type: ignore[arg-type]  # refused there
    except InvalidValueError as wrong:
        raise typer.BadParameter(str(wrong)) from wrong


def _foreign_settings(
    run: Path | None, labels: Path | None, rescale: str | None, crop: str | None, seed: int
) -> ForeignSettings:
    """What goes with a `.keras` file alone; a run says all of it itself."""
    from edgecls.errors import InvalidValueError
    from edgecls_convert.foreign import ForeignSettings
    from edgecls_convert.opening import find_run, load_labels

    names = load_labels(labels) if labels else None
    given = {"--labels": labels, "--rescale": rescale, "--crop": crop}
    used = [flag for flag, value in given.items() if value is not None]
    if used and (run is None or find_run(run)):
        raise typer.BadParameter(f"{used[0]} goes with a .keras file; a run has its own")
    try:
        return ForeignSettings(
            labels=names,
            rescale=rescale,  # type: ignore[arg-type]  # refused there
            crop=crop or "center",  # type: ignore[arg-type]  # refused there
            seed=seed,
        )
    except InvalidValueError as wrong:
        raise typer.BadParameter(str(wrong)) from wrong


def _warn(warning: str) -> None:
    from edgecls.console import printable

    print(f"warning: {printable(warning)}", file=sys.stderr)


def _summary(conversion: Conversion) -> str:
    from edgecls.console import printable

    found, calibration = conversion.comparison, conversion.calibration
    path = printable(str(conversion.path))
    return "\n".join(
        [
            f"{path}: {conversion.size_bytes / 1024:.0f} KiB,"
            f" {len(conversion.model.card.labels)} labels",
            f"{conversion.target.form}: {conversion.target.cost}",
            *([f"calibrated on {calibration.describe()}"] if calibration else []),
            "",
            f"on {found.in_int8.images} held-out pictures",
            f"  float      {_accuracy(found.in_float)}",
            f"  {conversion.target.form:9}  {_accuracy(found.in_int8)}",
            f"  agreement  {found.agreement:6.1%}",
            *map(printable, _admitted_lines(conversion.admitted)),
            *(["", *map(printable, conversion.edgetpu.to_lines())] if conversion.edgetpu else []),
            "",
            f"next: edgecls camera --model {path}",
        ]
    )


def _admitted_lines(admitted: Admitted | None) -> list[str]:
    """What remedies gained and what layers lost, where either was looked at."""
    if admitted is None:
        return []
    lines = [f"  {outcome.describe()}" for outcome in admitted.outcomes]
    found = ["", "remedies", *lines] if lines else []
    if admitted.layers:
        rows = [
            f"  {error.sqnr_db:5.1f} dB  {error.layer} ({error.operator})"
            for error in admitted.layers
        ]
        found += ["", "signal to quantization noise of each layer", *rows]
    return [*found, "", f"drawn in {admitted.page}"] if admitted.page else found


def _accuracy(quality: Quality) -> str:
    from edgecls_convert.parity import top1_interval

    low, high = top1_interval(quality)
    return f"{quality.top1:6.1%} right (95% interval {low:.1%} to {high:.1%})"
