"""A converted model on a Coral Edge TPU: what to expect, and the compiled file where it can be."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecls.console import ShowProgress
from edgecls.contract.archive import FIXED_DATE
from edgecls.contract.edgetpu import (
    Compiled,
    Estimate,
    check_mapping,
    estimate_mapping,
    read_compiled,
)
from edgecls.contract.files import read_regular_file, write_atomically
from edgecls.contract.modelfile import (
    MAX_MODEL_BYTES,
    ModelFile,
    load_model_file,
    write_model_file,
)
from edgecls.contract.structure import Structure, read_structure
from edgecls.errors import InvalidValueError, ModelFileError
from edgecls.storage.guard import check_file
from edgecls.storage.targets import MODEL
from edgecls_convert.edgetpu.compiler import (
    COMPILE_LIMIT_S,
    SUFFIX,
    advice,
    compile_flatbuffer,
    find_compiler,
)
from edgecls_convert.edgetpu.log import CompilerLog, find_differences


@dataclass(frozen=True, slots=True)
class Compilation:
    """A compiled model file.

    Args:
        path: Where it was written.
        needs: What it says of itself.
        log: What the compiler said; None for one that was compiled elsewhere.
        differences: Where that is not what the estimate expected, in words.
    """

    path: Path
    needs: Compiled
    log: CompilerLog | None
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EdgeTpuForm:
    """What an Edge TPU makes of a model.

    Args:
        estimate: From the published table of operators.
        compilation: The compiled model; None where there is no compiler.
        advice: What to do without a compiler; empty with one.
    """

    estimate: Estimate
    compilation: Compilation | None
    advice: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `edgecls convert --json` prints it."""
        found = self.compilation
        return {
            **self.estimate.to_json(),
            "model": str(found.path) if found else None,
            "minimum_runtime": found.needs.minimum_runtime if found else None,
            "compiled": found.log.to_json() if found and found.log else None,
            "differences": list(found.differences) if found else [],
        }

    def to_lines(self) -> Iterator[str]:
        """For people."""
        yield from self.estimate.to_lines()
        found = self.compilation
        if found is None:
            yield from self.advice
            return
        if found.log is not None:
            yield (
                f"compiled: {found.log.mapped} of {found.log.total} operators mapped,"
                f" {found.log.subgraphs} subgraphs, {found.log.on_chip_bytes / 1e6:.2f} MB of"
                f" parameters on the chip, {found.log.streamed_bytes / 1e6:.2f} MB streamed"
            )
        for difference in found.differences:
            yield f"  not as expected: {difference}"
        yield f"{found.path}: needs Edge TPU runtime {found.needs.minimum_runtime} or later"


def make_edgetpu_form(
    path: Path,
    progress: ShowProgress,
    min_mapped: float = 0.0,
    compiled: Path | None = None,
    limit_s: float = COMPILE_LIMIT_S,
) -> EdgeTpuForm:
    """Compile a model file, or say how to; the compiled one lies beside it.

    Args:
        path: A model file, `NAME.tflite`; the compiled one becomes `NAME_edgetpu.tflite`.
        progress: Shows how far the compiler is.
        min_mapped: Least share of operators that must run on the Edge TPU, in percent.
        compiled: What edgetpu_compiler made of this file elsewhere; instead of running it.
        limit_s: Longest time that the compiler may take.

    Raises:
        ModelFileError: It is compiled already, too little of it would be mapped, or the compiler
            refuses it.
        EngineError: The compiler crashed or hung.
        TargetError: What lies where the compiled file is to be is somebody's own.
        EdgeclsError: The compiled file cannot be written.
    """
    model = load_model_file(path)
    if read_compiled(model.flatbuffer, model.structure) is not None:
        raise ModelFileError(
            f"'{path}' is compiled for the Edge TPU already",
            hint="give the model that it was compiled from",
        )
    estimate = estimate_mapping(model.flatbuffer, model.structure)
    check_mapping(estimate, min_mapped)
    output = path.with_name(f"{path.stem}{SUFFIX}{path.suffix}")
    if not model.assumptions and not _is_same(output, compiled):
        check_file(output, MODEL)
    if compiled is not None:
        content, log = read_regular_file(compiled, MAX_MODEL_BYTES, ModelFileError), None
    elif compiler := find_compiler():
        content, log = compile_flatbuffer(model.flatbuffer, compiler, progress, limit_s)
    else:
        return EdgeTpuForm(estimate, None, tuple(advice(path)))
    if log is not None and log.total and 100 * log.mapped / log.total < min_mapped:
        raise ModelFileError(
            f"the compiler maps {log.mapped} of {log.total} operators to the Edge TPU, wanted at"
            f" least {min_mapped:g}%",
            hint="see its reasons without --min-mapped",
        )
    needs = _write_compiled(output, content, model, path, log, compiled)
    differences = tuple(find_differences(log, estimate)) if log else ()
    return EdgeTpuForm(estimate, Compilation(output, needs, log, differences))


def refuse_unmapped(model: ModelFile, min_mapped: float) -> None:
    """Refuse a model of which too little would run on an Edge TPU, before anything is written.

    Raises:
        ModelFileError: See `check_mapping`.
    """
    check_mapping(estimate_mapping(model.flatbuffer, model.structure), min_mapped)


def check_edgetpu_choice(form: str, min_mapped: float, *, is_chosen: bool) -> None:
    """Refuse what an Edge TPU cannot have.

    Raises:
        InvalidValueError: A share that is not 0 to 100, or a form that is not int8.
    """
    if not 0 <= min_mapped <= 100:
        raise InvalidValueError(f"--min-mapped is {min_mapped:g}, wanted 0 to 100 percent")
    if min_mapped and not is_chosen:
        raise InvalidValueError("--min-mapped is of the Edge TPU", hint="add --edgetpu")
    if is_chosen and form not in ("int8", "per-tensor"):
        raise InvalidValueError(
            f"an Edge TPU does not run the form {form!r}", hint="use --int8 with --edgetpu"
        )


def _write_compiled(
    output: Path,
    content: bytes,
    model: ModelFile,
    path: Path,
    log: CompilerLog | None,
    compiled: Path | None,
) -> Compiled:
    """Put labels, card and golden vectors in again, which the compiler leaves out."""
    flatbuffer = _without_attachments(content)
    structure = read_structure(flatbuffer)
    needs = read_compiled(flatbuffer, structure)
    if needs is None:
        raise ModelFileError(
            "the compiler put nothing on the Edge TPU",
            hint="see why with 'edgecls inspect --edgetpu'",
        )
    _check_same(structure, model.structure)
    if model.assumptions:  # a model of others: what is known of it goes along, and nothing more
        content = _with_attachments(flatbuffer, path)
        _refuse_other(output, content, compiled)
        write_atomically(output, content)
        return needs
    origin: dict[str, Any] = {
        "compiled_from": hashlib.sha256(model.flatbuffer).hexdigest(),
        "minimum_runtime": needs.minimum_runtime,
    }
    if log is not None:
        origin |= {"compiler": log.version, "mapped": log.mapped, "total": log.total}
    card = dataclasses.replace(model.card, provenance={**model.card.provenance, "edgetpu": origin})
    write_model_file(output, flatbuffer, card, model.golden)
    return needs


def _is_same(output: Path, compiled: Path | None) -> bool:
    """Whether what was compiled elsewhere lies where the form with its card is to be."""
    return compiled is not None and output.exists() and output.samefile(compiled)


def _refuse_other(output: Path, content: bytes, compiled: Path | None) -> None:
    """Refuse to write over a compiled file of others, which no card tells from ours."""
    if _is_same(output, compiled):
        return
    if not (output.is_file() and output.read_bytes() == content):
        check_file(output, MODEL)


def _check_same(compiled: Structure, model: Structure) -> None:
    """Refuse what was compiled from a model with other images or scores."""
    found, wanted = (
        [
            (tensor.shape, tensor.dtype, tensor.scales, tensor.zero_points)
            for tensor in (structure.tensors[i] for i in (*structure.inputs, *structure.outputs))
        ]
        for structure in (compiled, model)
    )
    if found != wanted:
        shapes = [f"{dtype} {list(shape)}" for shape, dtype, *_ in (*found, *wanted)]
        raise ModelFileError(
            f"the compiled file goes from {' to '.join(shapes[: len(found)])}, the model from"
            f" {' to '.join(shapes[len(found) :])}, or their scales differ",
            hint="it was compiled from another model; compile this one",
        )


def _without_attachments(content: bytes) -> bytes:
    file = io.BytesIO(content)
    if not zipfile.is_zipfile(file):
        return content
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    return content[: min((entry.header_offset for entry in entries), default=len(content))]


def _with_attachments(flatbuffer: bytes, path: Path) -> bytes:
    content = io.BytesIO(flatbuffer)
    content.seek(0, io.SEEK_END)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "a") as new:
            for name in old.namelist():
                new.writestr(zipfile.ZipInfo(name, FIXED_DATE), old.read(name))
    return content.getvalue()
