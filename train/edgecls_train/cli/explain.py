"""The command `edgecls explain`."""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import EXPLAINED, Reads, Writes

if TYPE_CHECKING:
    from edgecls_train.explain import Explainer, Method


def explain(
    files: Annotated[
        list[Path],
        typer.Argument(help="Pictures, or folders of them."),
        Reads("pictures"),
    ],
    model: Annotated[
        Path,
        typer.Option("--model", "-m", help="A run folder, its model.keras, or a .tflite file."),
        Reads("model"),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where the explained pictures are written."),
        Writes(EXPLAINED),
    ] = Path("explained"),
    label: Annotated[
        str | None,
        typer.Option(help="Explain this label.", show_default="the best one of each picture"),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="gradcam|occlusion",
            help="Follow gradients, or hide part after part.",
            show_default="gradcam for Keras, occlusion for .tflite",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object a picture.")
    ] = False,
) -> None:
    """Show where a model looks: what speaks for a label is red.

    Each picture becomes a PNG with the image as the model sees it, and the same with the heat map
    over it. Exit 1 if any picture could not be read.

    \b
    Examples:
      edgecls explain --model runs/train/1 cat.jpg dog.jpg
      edgecls explain --model model.tflite --label cat pictures/
    """
    from edgecls.errors import EdgeclsError, InvalidValueError, PictureError
    from edgecls.pictures.folder import find_pictures
    from edgecls.storage.guard import check_file
    from edgecls.storage.targets import DRAWING
    from edgecls_train.explain import open_explainer

    paths = list(find_pictures(files))
    if not paths:
        raise PictureError("there are no pictures in what was given", hint="name files or folders")
    if method not in (None, "gradcam", "occlusion"):
        raise InvalidValueError(f"there is no method {method!r}", hint="known: gradcam, occlusion")
    chosen: Method | None = method  # type: ignore[assignment]  # checked above
    targets = _name_outputs(paths, out)
    for target in targets:
        check_file(target, DRAWING)
    explainer = open_explainer(model, chosen)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise EdgeclsError(
            f"cannot make the folder '{out}': {wrong.strerror}", hint="choose another --out"
        ) from wrong
    results = _explain_files(explainer, paths, targets, label)
    for result in results:
        _print_result(result, as_json=as_json)
    if failed := sum("error" in result for result in results):
        print(f"{failed} of {len(paths)} files could not be explained", file=sys.stderr)
        raise typer.Exit(1)


def _explain_files(
    explainer: Explainer, paths: list[Path], targets: list[Path], label: str | None
) -> list[dict[str, Any]]:
    from edgecls.errors import PictureError

    results: list[dict[str, Any]] = []
    with progress("explaining", len(paths) * explainer.steps) as advance:
        for path, target in zip(paths, targets, strict=True):
            so_far = functools.partial(_advance_from, advance, len(results) * explainer.steps)
            try:
                results.append(_explain_file(explainer, path, target, label, so_far))
            except PictureError as wrong:
                results.append({"file": str(path), "error": wrong.problem})
    return results


def _advance_from(advance: Callable[[int], None], before: int, done: int) -> None:
    advance(before + done)


def _explain_file(
    explainer: Explainer,
    path: Path,
    target: Path,
    label: str | None,
    advance: Callable[[int], None],
) -> dict[str, Any]:
    from edgecls.contract.files import write_atomically
    from edgecls.pictures.folder import read_picture

    found = explainer.explain(read_picture(path), label, advance)
    write_atomically(target, found.to_png())
    return {
        "file": str(path),
        "explained": str(target),
        "method": explainer.method,
        "label": found.label,
        "score": round(found.score, 6),
        "best": found.best,
        "peak": [round(share, 4) for share in found.peak],
    }


def _name_outputs(paths: list[Path], out: Path) -> list[Path]:
    """One PNG a picture; pictures of the same name in several folders are numbered."""
    taken: set[str] = set()
    names: list[str] = []
    for path in paths:
        candidates = (path.stem if n == 1 else f"{path.stem}-{n}" for n in itertools.count(1))
        taken.add(name := next(name for name in candidates if name not in taken))
        names.append(name)
    return [out / f"{name}.png" for name in names]


def _print_result(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json_line(result), flush=True)
    elif "error" in result:
        print(f"error: {printable(result['error'])}", file=sys.stderr)
    else:
        name, label = printable(result["file"]), printable(result["label"])
        print(f"{name}: {label} {result['score']:.1%} -> {printable(result['explained'])}")
