"""Whatever is given as a model to a command: the process lives and says what the file is."""

from __future__ import annotations

import gzip
import io
import os
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from edgecls.bench.machine import describe_machine
from edgecls.contract.modelfile import parse_model_file
from edgecls.errors import EngineError
from edgecls.runtimes import installed_runtimes, open_runtime
from edgecls.runtimes.probe import probe
from tests.support.compiled_model import compiled_bytes
from tests.support.edited_model import edited, set_field
from tests.support.hostile_models import crashing_model, endless_model, starving_model
from tests.support.patience import patience
from tests.support.tiny_model import TinyModel, build, tiny_model_bytes, write_tiny_model

Cli = Callable[..., Any]

TINY: Final = tiny_model_bytes((6, 6), "GRAY", 3)
needs_engine = pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed")


def zipped(name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "{}")
    return packed.getvalue()


def row(number: int, content: bytes, message: str, what: str) -> Any:
    return pytest.param(content, message, marks=pytest.mark.fault(number), id=what)


GRAPH: Final = "subgraphs.0"
BAD: Final = [
    row(1, b"", "the file is empty", "empty"),
    row(2, TINY[:100], "cut off or damaged", "cut off"),
    row(3, b"\x89PNG\r\n\x1a\n", "it is a PNG picture", "a PNG"),
    row(3, zipped("config.json"), "a .keras model", "a .keras file"),
    row(3, zipped("a.txt"), "it is a ZIP archive", "a ZIP"),
    row(3, b"\x89HDF\r\n\x1a\n", "a Keras .h5 file", "an .h5 file"),
    row(3, b"\x08\x07\x12\x07pytorch", "an ONNX model", "an ONNX file"),
    row(3, b"\x7fELF\x02\x01\x01", "it is a program", "a program"),
    row(4, b"<!DOCTYPE html><title>Sign in", "it is a web page", "a web page"),
    row(4, b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer", "an LFS pointer"),
    row(5, gzip.compress(TINY), "gzipped", "gzipped"),
    row(5, b"\n" + TINY, "shifted", "shifted"),
    row(8, edited(TINY, set_field("subgraphs", [])), "has 0 graphs", "no graph"),
    row(10, edited(TINY, set_field(f"{GRAPH}.inputs", [2])), "is a constant", "a constant input"),
    row(
        11,
        edited(TINY, set_field(f"{GRAPH}.tensors.0.shape", [1, 65535, 65535, 1])),
        "needs 4095 MiB",
        "a huge shape",
    ),
    row(13, compiled_bytes(TinyModel((4, 4))), "Edge TPU", "compiled, without an Edge TPU"),
    row(14, build(TinyModel((6, 6), extra_outputs=1)), "2 outputs", "two outputs"),
    row(7, crashing_model(), "crashes", "one that crashes the engine"),
    row(7, starving_model(), "needs more than 2048 MiB", "one that needs 18 GiB"),
]


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """Where the bad file lies."""
    return tmp_path / "model.tflite"


@pytest.fixture
def arguments(tmp_path: Path, pictures: Path, model: Path, bad: Path) -> dict[str, tuple[Any, ...]]:
    """How each command is given a model."""
    for name in ("level 2", "level 7"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        (pictures / f"{name}.png").rename(tmp_path / "classes" / name / "1.png")
    classes = tmp_path / "classes"
    return {
        "camera": ("--model", bad, "--source", "fake:colors", "--max-frames", "1"),
        "shadow": ("--model", model, "--shadow", bad, "--source", "fake:colors?fps=0",
                   "--max-frames", "1"),
        "classify": ("--model", bad, classes),
        "evaluate": ("--model", bad, classes),
        "compare": (model, bad, classes),
        "bench": ("--model", bad, "--seconds", "0.1"),
        "verify": (bad,),
        "replay": ("--model", bad, classes),
        "explain": ("--model", bad, classes),
        "label": ("--model", bad, classes, "--into", tmp_path / "into"),
    }  # fmt: skip


COMMANDS: Final = (
    "camera", "shadow", "classify", "evaluate", "compare", "bench", "verify", "replay",
    "explain", "label",
)  # fmt: skip


@needs_engine
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("content", "message"), BAD)
def test_every_command_refuses_it_in_one_line(
    cli: Cli,
    bad: Path,
    arguments: dict[str, tuple[Any, ...]],
    command: str,
    content: bytes,
    message: str,
) -> None:
    if command in ("explain", "label"):
        pytest.importorskip("edgecls_train", reason="edgecls-train is not installed")
    bad.write_bytes(content)
    before = sorted(bad.parent.rglob("*"))
    result = cli("camera" if command == "shadow" else command, *arguments[command])
    problem, *hint = said_of(result.stderr)
    assert result.exit_code == 1
    assert result.stdout in ("", f"machine   {describe_machine()}\n")
    assert problem.startswith("error: ")
    assert message in problem
    assert len(hint) <= 1
    assert sorted(bad.parent.rglob("*")) == before


def said_of(stderr: str) -> list[str]:
    """Without what was assumed of a model without a card."""
    lines = stderr.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("error: "))
    return lines[first:]


@pytest.mark.fault(7)
@pytest.mark.parametrize(("content", "message"), BAD)
def test_looking_at_it_runs_nothing(cli: Cli, bad: Path, content: bytes, message: str) -> None:
    bad.write_bytes(content)
    started = time.monotonic()
    result = cli("inspect", bad)
    assert result.exit_code in (0, 1)  # what only an engine would stumble over can be looked at
    assert time.monotonic() - started < patience(5)
    assert (message in result.stderr) == (result.exit_code == 1)


@needs_engine
@pytest.mark.fault(7)
@pytest.mark.parametrize("make", [crashing_model, starving_model])
def test_an_engine_alone_would_have_taken_the_process_with_it(
    make: Callable[[], bytes], tmp_path: Path
) -> None:
    """Why there is a second gate: without it, this is what happens."""
    (tmp_path / "m.tflite").write_bytes(make())
    alone = (
        "import resource, sys; from pathlib import Path;"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30));"  # not the whole machine
        "import numpy as np; from edgecls.classifier import Classifier;"
        "c = Classifier.open(Path(sys.argv[1]), is_probed=False);"
        "c.run_image(np.zeros((4, 4, 3), np.uint8))"
    )
    command = [sys.executable, "-c", alone, tmp_path / "m.tflite"]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@needs_engine
@pytest.mark.fault(7)
def test_what_was_refused_left_no_memory_behind() -> None:
    model = parse_model_file(starving_model(), "starving.tflite")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(EngineError, match="needs more than"):
        open_runtime(model)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10


@needs_engine
@pytest.mark.fault(7)
def test_real_files_that_crashed_or_hung_an_engine(cli: Cli, data_folder: Path) -> None:
    mutants = sorted((data_folder / "bad-models").glob("*.tflite"))
    assert mutants
    for mutant in mutants:
        result = cli("verify", mutant)
        assert result.exit_code == 1
        assert result.stderr.startswith("error: ")


@needs_engine
@pytest.mark.fault(17)
def test_a_model_that_does_not_end_is_killed() -> None:
    model = parse_model_file(endless_model(), "endless.tflite")
    before = children_of_this()
    started = time.monotonic()
    verdict = probe(model, limit_s=2.0)
    assert time.monotonic() - started < 2.0 + patience(3)
    assert verdict.problem == "'endless.tflite' was not run by litert within 2 s"
    assert children_of_this() == before


def children_of_this() -> list[str]:
    """Process numbers of children that are still there."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return file.read().split()


@pytest.fixture
def sound(data_folder: Path, tmp_path: Path) -> list[Path]:
    """All sound models at hand."""
    names = ("coral/*quant.tflite", "mlperf-tiny/*.tflite")
    write_tiny_model(tmp_path / "tiny.tflite")
    return [tmp_path / "tiny.tflite", *(path for name in names for path in data_folder.glob(name))]


@needs_engine
@pytest.mark.fault(7)
def test_no_sound_model_is_refused(sound: list[Path]) -> None:
    assert len(sound) > 4
    for path in sound:
        model = parse_model_file(path.read_bytes(), path.name)
        assert probe(model).problem == ""


@needs_engine
def test_a_verdict_that_is_known_costs_next_to_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECLS_CACHE", str(tmp_path))
    asked = (
        "import sys, time; from pathlib import Path;"
        "from edgecls.contract.modelfile import load_model_file;"
        "from edgecls.runtimes.gate import admit; import ai_edge_litert as engine;"
        "model = load_model_file(Path(sys.argv[1]));"
        "before = set(sys.modules); started = time.perf_counter();"
        "admit(model, 'litert', engine.__version__);"
        "print((time.perf_counter() - started) * 1e3, len(set(sys.modules) - before))"
    )
    command = [sys.executable, "-c", asked, model]
    first, second = (subprocess.check_output(command, text=True).split() for _ in range(2))
    assert int(first[1]) > 0  # the probe and what it needs
    assert second[1] == "0"  # nothing more is imported
    assert float(second[0]) < float(first[0]) / 10
