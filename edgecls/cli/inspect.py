"""`edgecls inspect`: what a model file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from edgecls.cli.coral import describe_on_edgetpu, print_on_edgetpu
from edgecls.cli.options import (
    JsonOption,
    LabelsOption,
    load_labels,
    print_assumptions,
    print_warnings,
)
from edgecls.console import json_line, printable
from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.contract.modelfile import ModelFile
    from edgecls.contract.structure import Tensor

# More operators than this are summed up by kind, unless all are asked for.
_TABLE_ROWS: Final = 40


def inspect(
    model: Annotated[
        Path,
        typer.Argument(help="The model file (.tflite)."),
        Reads("model"),
    ],
    labels: LabelsOption = None,
    has_all_operators: Annotated[
        bool,
        typer.Option("--operators", help="List every operator, however many there are."),
    ] = False,
    on_edgetpu: Annotated[
        bool,
        typer.Option("--edgetpu", help="Which operators an Edge TPU would compute, and why not."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a model's tensors, operators, cost, card and labels, without running it.

    \b
    edgecls inspect model.tflite
    edgecls inspect model.tflite --operators
    edgecls inspect model.tflite --edgetpu
    edgecls inspect model.tflite --json
    """
    from edgecls.contract.modelfile import load_model_file

    file = load_model_file(model, load_labels(labels))
    print_assumptions(file)
    print_warnings(file)
    description = _describe(file)
    if on_edgetpu:
        description["edgetpu"] = describe_on_edgetpu(file)
    if as_json:
        print(json_line(description))
    else:
        _print_description(description, has_all_operators=has_all_operators)
        if on_edgetpu:
            print_on_edgetpu(description["edgetpu"])


def _describe(file: ModelFile) -> dict[str, Any]:
    from edgecls.contract.cost import operator_costs, to_cost
    from edgecls.contract.pitfalls import find_pitfalls

    golden = file.golden
    return {
        "model": file.name,
        "bytes": len(file.flatbuffer),
        "inputs": [_describe_tensor(file.input)],
        "outputs": [_describe_tensor(file.output)],
        **to_cost(file.structure),
        "operator_table": [cost.to_json() for cost in operator_costs(file.structure)],
        "warnings": list(find_pitfalls(file.structure)),
        "card": None if file.assumptions else json.loads(file.card.to_json()),
        "labels": list(file.card.labels),
        "golden_vectors": len(golden) if golden else 0,
        "golden_frames": len(golden.frames) if golden else 0,
    }


def _describe_tensor(tensor: Tensor) -> dict[str, Any]:
    params = tensor.to_quant_params()
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": params.scale if params else None,
        "zero_point": params.zero_point if params else None,
    }


def _print_description(found: dict[str, Any], *, has_all_operators: bool) -> None:
    print(f"{printable(found['model'])}: {found['bytes'] / 1e3:.1f} kB")
    for kind in ("inputs", "outputs"):
        for tensor in found[kind]:
            shape = _times(tensor["shape"])
            scale = ""
            if tensor["scale"] is not None:
                scale = f", scale {tensor['scale']:g}, zero point {tensor['zero_point']}"
            _line(kind[:-1], f"{tensor['dtype']} {shape}{scale}")
    _line("cost", f"{found['macs'] / 1e6:.2f} M MACs, {found['parameters']} parameters")
    _line(
        "memory",
        f"{found['parameter_bytes'] / 1e3:.1f} kB of parameters,"
        f" {found['arena_bytes'] / 1e3:.1f} kB for tensors (computed from their lifetimes)",
    )
    if found["minimum_runtime"]:
        _line("runtime", f"{found['minimum_runtime']} or later")
    names = found["labels"]
    shown = ", ".join(printable(name) for name in names[:10])
    _line("labels", f"{len(names)}: {shown}{', ...' if len(names) > 10 else ''}")
    if found["card"]:
        _print_card(found["card"])
        _line(
            "golden",
            f"{found['golden_vectors']} vectors, {found['golden_frames']} with their frame",
        )
    print()
    if has_all_operators or len(found["operator_table"]) <= _TABLE_ROWS:
        _print_operators(found)
    else:
        _print_operator_kinds(found)


def _print_card(card: dict[str, Any]) -> None:
    picture, decision = card["input"], card["output"]
    height, width = picture["size"]
    _line(
        "picture",
        f"{picture['channels']} {width}x{height}, crop {picture['crop']}"
        f" {picture['crop_fraction']:g}",
    )
    _line(
        "decision",
        f"temperature {decision['temperature']:g},"
        f" 'unknown' below {decision['reject_threshold']:.3g}",
    )
    for label, threshold in sorted(decision["class_thresholds"].items()):
        _line("", f"'unknown' below {threshold:.3g} for {printable(label)}")
    for form, metrics in card["metrics"].items():
        if isinstance(metrics, dict) and "top1" in metrics:
            _line(form, _describe_metrics(metrics))
    for name in ("agreement", "drop"):
        if isinstance(card["metrics"].get(name), int | float):
            _line(name, f"{card['metrics'][name]:.2%}")
    fitted = card["metrics"].get("decision")
    if isinstance(fitted, dict) and {"precision", "coverage"} <= fitted.keys():
        _line(
            "answers", f"{fitted['coverage']:.1%} answered, {fitted['precision']:.1%} of it right"
        )
    _print_learnt(card.get("learnt", {}))
    _print_provenance(card["provenance"])


def _describe_metrics(metrics: dict[str, Any]) -> str:
    parts = [f"top-1 {metrics['top1']:.1%} on {metrics.get('images', '?')} pictures"]
    if "macro_f1" in metrics:
        parts.append(f"macro F1 {metrics['macro_f1']:.3f}")
    if "calibration_error" in metrics:
        parts.append(f"calibration error {metrics['calibration_error']:.3f}")
    return ", ".join(parts)


def _print_learnt(learnt: dict[str, Any]) -> None:
    if not learnt:
        _line("learnt", "no statistics, so the camera tells of no drift; convert again for them")
        return
    for number, (name, entry) in enumerate(sorted(learnt.items())):
        low, median, high = (entry["quantiles"][place] for place in (1, 4, 7))
        text = f"{printable(name)} {median:.4g} ({low:.4g} to {high:.4g})"
        _line("" if number else "learnt", text)


def _print_provenance(provenance: dict[str, Any]) -> None:
    for name, value in sorted(provenance.items()):
        if isinstance(value, str | int | float):
            _line(printable(name)[:11], printable(str(value)))
        elif isinstance(value, dict):
            plain = {k: v for k, v in sorted(value.items()) if isinstance(v, str | int | float)}
            words = ", ".join(f"{key.replace('_', ' ')} {entry}" for key, entry in plain.items())
            _line(printable(name)[:11], printable(words))


def _print_operators(found: dict[str, Any]) -> None:
    header = f"{'':>3} {'operator':<24} {'version':>7}  {'in':<16} {'out':<16}"
    print(f"{header} {'MACs':>12} {'parameters':>12}")
    for number, entry in enumerate(found["operator_table"]):
        inputs, outputs = (
            " ".join(_times(shape) for shape in entry[side]) for side in ("inputs", "outputs")
        )
        print(
            f"{number:>3} {printable(entry['name']):<24} {entry['version']:>7}  {inputs:<16}"
            f" {outputs:<16} {entry['macs']:>12,} {entry['parameter_bytes']:>10,} B"
        )
    _print_totals(found, len(header))


def _print_operator_kinds(found: dict[str, Any]) -> None:
    header = f"{'operator':<24} {'count':>5} {'version':>7}"
    print(f"{header} {'MACs':>15} {'parameters':>12}")
    for name, entry in found["operators"].items():
        same = [row for row in found["operator_table"] if row["name"] == name]
        macs, size = (sum(row[key] for row in same) for key in ("macs", "parameter_bytes"))
        print(
            f"{printable(name):<24} {entry['count']:>5} {entry['version']:>7}"
            f" {macs:>15,} {size:>10,} B"
        )
    _print_totals(found, len(header) + 3)
    print("\neach of them: --operators")


def _print_totals(found: dict[str, Any], width: int) -> None:
    count = f"{len(found['operator_table'])} operators"
    print(f"{count:<{width}} {found['macs']:>12,} {found['parameter_bytes']:>10,} B")


def _line(name: str, text: str) -> None:
    print(f"{printable(name):<11} {printable(text)}")


def _times(shape: list[int]) -> str:
    return "x".join(map(str, shape))
