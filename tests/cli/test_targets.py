"""Nothing that a person made or a command reads is written over: of every option that writes.

The options are found by walking the command line, so a new one is tried from its first day. Each is
pointed at every kind of thing that must survive; what is there afterwards is compared byte by byte.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated, Any, Final

import pytest
import typer

from edgecls.cli.main import make_app
from edgecls.imaging.opencv import cv2
from edgecls.storage.targets import DATA_SET, EVENTS, GUESSES, MODEL, RECORDING, Reads, Sorts
from tests.cli.conftest import Cli
from tests.support.command_line import Parameter, contents, walk
from tests.support.tiny_model import frame_of, tiny_model_bytes, write_tiny_model

pytest.importorskip("edgecls_train", reason="the commands of a workstation are tried, too")
pytest.importorskip("edgecls_convert", reason="the commands of a workstation are tried, too")

PARAMETERS: Final = tuple(walk(make_app()))
WRITING: Final = tuple(each for each in PARAMETERS if each.kind is not None)
# Text that speaks of files and names none on this machine.
NO_FILE: Final = {
    "camera --jsonl-keep": "a number",
    "camera --on-change": "a command line",
    "convert --output-type": "a word",
    "deploy --path": "a folder on the board",
    "deploy --edgecls": "a program on the board",
}
CAMERA: Final = "camera -m model.tflite --source photo.png --max-frames 1"
# What there is to read, by the word with which an option declares it.
READ: Final = {
    "model": "model.tflite",
    "labels": "labels.txt",
    "pictures": "photo.png",
    "source": "photo.png",
    "video": "photo.png",
    "data": "photos",
    "run": "net.keras",
    "compiled": "strange.tflite",
    "recipe": "recipe.toml",
    "table": "truth.csv",
    "password": "notes.txt",
    "certificates": "notes.txt",
    "key": "notes.txt",
    "profile": "recipe.toml",
}
FILES: Final = (
    *("photo.png", "model.tflite", "labels.txt", "notes.txt", "truth.csv", "recipe.toml"),
    *("page.html", "strange.tflite", "net.keras", "log.jsonl", "sheet.csv", "scan.bmp", "photo"),
    *("photos/cat/1.png", "link to photo", "hard link to model", "link to nowhere", "pipe"),
)
FOLDERS: Final = ("photos", "divided", "collected", "recorded", "run", "proposed")
NAMES: Final = ("", "-", "--json", "/dev/null")
# Where labelled pictures are meant to go, they may.
MEANT: Final = {
    (DATA_SET, "photos"),
    (DATA_SET, "divided"),
    (DATA_SET, "collected"),
    (RECORDING, "recorded"),
    (MODEL, "model.tflite"),
    (MODEL, "hard link to model"),
    (EVENTS, "/dev/null"),
    (GUESSES, "/dev/null"),
    (EVENTS, "pipe"),
    (GUESSES, "pipe"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of everything that a person would not want to lose."""
    root = tmp_path_factory.mktemp("made")
    write_tiny_model(root / "model.tflite")
    (root / "strange.tflite").write_bytes(tiny_model_bytes())
    labelled = ("photos/cat", "photos/dog", "collected/cat", "recorded/cat", "divided/train/cat")
    for place in ("unsorted", *labelled):
        (root / place).mkdir(parents=True)
        cv2.imwrite(str(root / place / "1.png"), frame_of(3))
    cv2.imwrite(str(root / "photo.png"), frame_of(5))
    cv2.imwrite(str(root / "scan.bmp"), frame_of(6))
    shutil.copy(root / "scan.bmp", root / "photo")
    write_texts(root)
    (root / "net.keras").write_bytes(b"PK\3\4" + b"\0" * 26 + b"config.json" + b"{}" * 500)
    os.link(root / "model.tflite", root / "hard link to model")
    (root / "link to photo").symlink_to("photo.png")
    (root / "link to nowhere").symlink_to("gone.png")
    (root / "link to itself").symlink_to("link to itself")
    os.mkfifo(root / "pipe")
    return root


def write_texts(root: Path) -> None:
    texts = {
        "labels.txt": "".join(f"level {n}\n" for n in range(10)),
        "notes.txt": "what I saw on Monday\nand on Tuesday",
        "truth.csv": "time,label\n0,level 1\n3,level 2\n",
        "sheet.csv": "path,label\nphotos/cat/1.png,cat\nphotos/dog/1.png,dog\n",
        "log.jsonl": '{"level": "info"}\n{"level": "warning"}\n',
        "page.html": "<!doctype html><title>Our holidays</title>\n",
        "recipe.toml": "epochs = 3\n",
        "collected/.labels.json": '{"labels": ["cat"]}\n',
        "collected/records.jsonl": '{"file": "cat/1.png", "bytes": 9, "when": "collected"}\n',
        "recorded/records.jsonl": '{"file": "cat/1.png", "bytes": 9, "sha256": "0"}\n',
        "run/metrics.json": "{}\n",
        "proposed/proposals.json": "{}\n",
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def world(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands run."""
    monkeypatch.setenv("EDGECLS_STRICT", "1")
    monkeypatch.setenv("EDGECLS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(made)
    return made


def line_of(writing: Parameter, target: str) -> list[str]:
    """A command that reads one of everything it can, and writes to `target`."""
    words, arguments = [writing.command], []
    for each in PARAMETERS:
        if each.command != writing.command:
            continue
        value = target if each.name == writing.name else _read_by(each)
        if value is None:
            continue
        if each.option.startswith("-"):
            words += (
                [each.option, value]
                if value.startswith(("-", "/")) or not value
                else [f"{each.option}={value}"]
            )
        else:
            arguments.append(value)
    return [*words, "--", *arguments] if arguments else words


def _read_by(parameter: Parameter) -> str | None:
    if isinstance(parameter.mark, Sorts):
        return "unsorted"
    return READ[parameter.mark.what] if isinstance(parameter.mark, Reads) else None


def cases() -> list[Any]:
    return [
        pytest.param(writing, target, id=f"{writing} onto {target or 'nothing'!r}")
        for writing in WRITING
        for target in (*FILES, *FOLDERS, *NAMES)
        if (writing.kind, target) not in MEANT
    ]


@pytest.mark.fault(105)
@pytest.mark.parametrize(("writing", "target"), cases())
def test_nothing_is_lost(writing: Parameter, target: str, world: Path, cli: Cli) -> None:
    before = contents(world)
    result = cli(*line_of(writing, target))
    assert contents(world) == before
    assert result.stderr.count("error: ") == 1
    assert result.stderr.count("\n  hint: ") == 1
    assert result.exit_code == 1


@pytest.mark.fault(151)
@pytest.mark.parametrize("writing", WRITING, ids=str)
@pytest.mark.parametrize(
    "place",
    [
        pytest.param("notes.txt/deep/new", id="below a file"),
        pytest.param("link to nowhere/new", id="below a link that leads nowhere"),
        pytest.param("link to itself/new", id="below a link to itself"),
        pytest.param("x" * 256, id="longer than a name may be"),
    ],
)
def test_what_can_never_be_made_is_told_before_the_work(
    writing: Parameter, place: str, world: Path, cli: Cli
) -> None:
    before = contents(world)
    result = cli(*line_of(writing, place))
    assert contents(world) == before
    assert f" '{place}' cannot be made: " in result.stderr
    assert result.exit_code == 1


@pytest.mark.fault(153)
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(CAMERA + " --record seen --jsonl seen/records.jsonl", id="--jsonl"),
        pytest.param(CAMERA + " --record seen --csv ./seen/../seen/records.jsonl", id="--csv"),
        pytest.param("collect seen -l a,b --token-file seen/.labels.json", id="--token-file"),
        pytest.param("check photos --quarantine seen --html seen/moves.csv", id="--html"),
    ],
)
def test_the_notes_of_a_folder_are_not_a_file_of_the_same_command(
    line: str, world: Path, cli: Cli
) -> None:
    result = cli(*line.split())
    assert "keeps notes of its own" in result.stderr
    assert result.exit_code == 1
    assert not (world / "seen").exists()


@pytest.mark.fault(151)
@pytest.mark.parametrize("option", ["check photos --html", "convert net.keras --output"])
def test_a_result_needs_its_folder_before_the_work(option: str, world: Path, cli: Cli) -> None:
    result = cli(*option.split(), "no/page.html")
    assert "'no/page.html' cannot be made: No such file or directory" in result.stderr
    assert not (world / "no").exists()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("classify -m model.tflite --csv {}/a.csv photo.png", id="classify --csv"),
        pytest.param(CAMERA + " --csv {}/a.csv", id="camera --csv"),
        pytest.param(CAMERA + " --jsonl {}/a.jsonl", id="camera --jsonl"),
        pytest.param(CAMERA + " --record {}/seen --record-when all", id="camera --record"),
    ],
)
@pytest.mark.usefixtures("world")
def test_the_same_command_may_be_run_again(line: str, tmp_path: Path, cli: Cli) -> None:
    results = [cli(*line.format(tmp_path).split()) for _ in range(3)]
    assert [result.exit_code for result in results] == [0, 0, 0]
    assert len(list(tmp_path.iterdir())) >= 1


@pytest.mark.fault(105)
def test_every_option_that_may_name_a_file_says_whether_it_is_read_or_written() -> None:
    unsaid = [str(each) for each in PARAMETERS if each.may_name_a_file and each.mark is None]
    assert sorted(set(unsaid) - set(NO_FILE)) == []


@pytest.mark.fault(105)
def test_what_is_written_is_a_path() -> None:
    assert [str(each) for each in WRITING if not each.is_path] == []


@pytest.mark.fault(105)
def test_a_new_option_that_says_nothing_is_found() -> None:
    app = typer.Typer()

    @app.command("draw")
    def draw(
        chart: Annotated[Path | None, typer.Option(help="A chart.")] = None,
        into: Annotated[str, typer.Option(help="Where the copy is written.")] = "",
        size: Annotated[str, typer.Option(help="Width x height.")] = "",
    ) -> None:
        """Draw."""

    @app.command("other")
    def other() -> None:
        """Nothing."""

    unsaid = [str(each) for each in walk(app) if each.may_name_a_file and each.mark is None]
    assert unsaid == ["draw --chart", "draw --into"]
