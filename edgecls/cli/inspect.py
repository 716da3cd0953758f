"""`edgecls inspect`: what a model file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.options import JsonOption, LabelsOption, load_labels, print_assumptions
from edgecls.console import json_line, printable

if TYPE_CHECKING:
    from edgecls.contract.modelfile import ModelFile
    from edgecls.contract.structure import Tensor


def inspect(
    model: Annotated[Path, typer.Argument(help="The model file (.tflite).")],
    labels: LabelsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a model's tensors, operators, cost, card and labels, without running it.

    \b
    edgecls inspect model.tflite
    edgecls inspect model.tflite --json
    """
    from edgecls.contract.modelfile import load_model_file

    file = load_model_file(model, load_labels(labels))
    print_assumptions(file)
    description = _describe(file)
    if as_json:
        print(json_line(description))
    else:
        _print_description(description)


def _describe(file: ModelFile) -> dict[str, Any]:
    structure = file.structure
    return {
        "model": file.name,
        "bytes": len(file.flatbuffer),
        "inputs": [_describe_tensor(file.input)],
        "outputs": [_describe_tensor(file.output)],
        "operators": {
            name: {"count": count, "version": version}
            for name, (count, version) in structure.operator_counts.items()
        },
        "macs": structure.macs,
        "parameters": structure.parameters,
        "minimum_runtime": structure.minimum_runtime,
        "card": None if file.assumptions else json.loads(file.card.to_json()),
        "labels": list(file.card.labels),
        "golden_vectors": len(file.golden) if file.golden else 0,
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


def _print_description(found: dict[str, Any]) -> None:
    print(f"{printable(found['model'])}: {found['bytes'] / 1e3:.1f} kB")
    for kind in ("inputs", "outputs"):
        for tensor in found[kind]:
            shape = "x".join(map(str, tensor["shape"]))
            scale = f", scale {tensor['scale']:g}, zero point {tensor['zero_point']}"
            print(f"{kind[:-1]:<11} {tensor['dtype']} {shape}{scale if tensor['scale'] else ''}")
    print(f"{'cost':<11} {found['macs'] / 1e6:.2f} M MACs, {found['parameters']} parameters")
    if found["minimum_runtime"]:
        print(f"{'runtime':<11} {found['minimum_runtime']} or later")
    names = found["labels"]
    shown = ", ".join(printable(name) for name in names[:10])
    print(f"{'labels':<11} {len(names)}: {shown}{', ...' if len(names) > 10 else ''}")
    if found["card"]:
        _print_card(found)
    print(f"\n{'operator':<24} {'count':>5} {'version':>7}")
    for name, entry in found["operators"].items():
        print(f"{printable(name):<24} {entry['count']:>5} {entry['version']:>7}")


def _print_card(found: dict[str, Any]) -> None:
    card = found["card"]
    picture = card["input"]
    height, width = picture["size"]
    print(
        f"{'picture':<11} {picture['channels']} {width}x{height}, crop {picture['crop']}"
        f" {picture['crop_fraction']:g}"
    )
    for form, metrics in card["metrics"].items():
        if isinstance(metrics, dict) and "top1" in metrics:
            print(
                f"{form:<11} top-1 {metrics['top1']:.1%} on {metrics.get('images', '?')} pictures"
            )
    print(f"{'golden':<11} {found['golden_vectors']} vectors")
