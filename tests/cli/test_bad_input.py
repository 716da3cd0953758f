"""Bad input is one line that names the problem, a hint where there is one, and an exit code."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import frame_of

Cli = Callable[..., Any]


def check(result: Any, problem: str, hint: str = "") -> None:
    """Exit 1, nothing on stdout, `error: problem` and perhaps `  hint: hint` on stderr."""
    first, *rest = result.stderr.splitlines()
    assert result.exit_code == 1
    assert result.stdout == ""
    assert first.startswith("error: ")
    assert problem in first
    assert len(rest) <= 1
    assert all(line.startswith("  hint: ") for line in rest)
    assert hint in "".join(rest)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), frame_of(3))
    return path


@pytest.mark.parametrize("command", ["camera", "classify", "evaluate", "inspect", "verify"])
@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        pytest.param("absent.tflite", None, "there is no file", id="that is not there"),
        pytest.param("empty.tflite", b"", "the file is empty", id="that is empty"),
        pytest.param(
            "photo.tflite", b"\x89PNG\r\n\x1a\n", "it is a PNG picture", id="that is a PNG"
        ),
        pytest.param(".", None, "is a folder, wanted a file", id="that is a folder"),
    ],
)
def test_a_model(
    cli: Cli,
    tmp_path: Path,
    picture: Path,
    command: str,
    name: str,
    content: bytes | None,
    problem: str,
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    arguments: dict[str, tuple[Any, ...]] = {
        "camera": ("--source", "fake:colors", "--model", path),
        "classify": (picture, "--model", path),
        "evaluate": (tmp_path, "--model", path),
        "inspect": (path,),
        "verify": (path,),
    }
    check(cli(command, *arguments[command]), problem)


@pytest.mark.parametrize(
    ("content", "problem", "hint"),
    [
        pytest.param(None, "there is no file", "check the path", id="that is not there"),
        pytest.param(
            b"caf\xe9\n" * 10,
            "the labels are not UTF-8 text (byte 3 is 0xe9)",
            "save the label file as UTF-8",
            id="that is not UTF-8",
        ),
        pytest.param(b"", "a model needs at least one label", "", id="that is empty"),
        pytest.param(
            b"cat\ndog\n",
            "it gives 10 scores but there are 2 labels (as given)",
            "give the label file that belongs to this model",
            id="with another count",
        ),
    ],
)
def test_a_label_file(
    cli: Cli,
    stranger: Path,
    picture: Path,
    tmp_path: Path,
    content: bytes | None,
    problem: str,
    hint: str,
) -> None:
    labels = tmp_path / "labels.txt"
    if content is not None:
        labels.write_bytes(content)
    check(cli("classify", "--model", stranger, "--labels", labels, picture), problem, hint)


def test_labels_for_a_model_that_has_its_own(
    cli: Cli, model: Path, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("\n".join("abcdefghij"))
    result = cli("classify", "--model", model, "--labels", tmp_path / "labels.txt", picture)
    check(result, "the labels given are not the ones in its card", "leave --labels out")


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (("--top-k", "0"), "--top-k is 0, wanted at least 1", ""),
        (("--threads", "0"), "0 threads were asked for, wanted at least 1", ""),
        (
            ("--runtime", "abacus"),
            "there is no runtime 'abacus'",
            "known: auto, litert, tflite_runtime, edgetpu, fake",
        ),
    ],
    ids=["no label at all", "no thread at all", "an unknown engine"],
)
def test_an_option_of_classify(
    cli: Cli, model: Path, picture: Path, arguments: tuple[str, ...], problem: str, hint: str
) -> None:
    check(cli("classify", "--model", model, *arguments, picture), problem, hint)


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (("--source", "nowhere.mp4"), "there is no source 'nowhere.mp4'", "known sources: 0 or"),
        (("--source", "fake:cats"), "there is no fake source 'cats'", "fake:digits"),
        (("--source", "987"), "there is no camera /dev/video987", "fake:colors"),
        (("--top-k", "0"), "top k is 0, wanted at least 1", ""),
        (("--threshold", "7"), "the threshold is 7.0, wanted a score in 0 to 1", ""),
        (("--fps", "-1"), "fps is -1.0, wanted 0 or more", ""),
        (("--duration", "nan"), "duration_s is nan, wanted 0 or more", ""),
        (("--threads", "-1"), "-1 threads were asked for", ""),
        (("--runtime", "abacus"), "there is no runtime 'abacus'", "known: auto"),
        (("--jsonl", "/nowhere/a"), "cannot write events to '/nowhere/a'", "check that the folder"),
    ],
    ids=" ".join,
)
def test_an_option_of_camera(
    cli: Cli, model: Path, arguments: tuple[str, ...], problem: str, hint: str
) -> None:
    source = () if "--source" in arguments else ("--source", "fake:colors?fps=0")
    check(cli("camera", "--model", model, *source, *arguments), problem, hint)


@pytest.mark.skipif(os.path.exists("/dev/video0"), reason="this machine has a camera")
def test_a_camera_that_is_not_there(cli: Cli, model: Path) -> None:
    result = cli("camera", "--model", model)
    check(result, "there is no camera /dev/video0", "choose another --source: 0 or /dev/video0")
    assert "fake:digits" in result.stderr


def test_a_text_file_as_a_video(cli: Cli, model: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Once upon a time\n" * 100)
    result = cli("camera", "--model", model, "--source", tmp_path / "notes.txt")
    check(result, "cannot be opened as a video", "check it with a player")


def test_a_folder_without_pictures(cli: Cli, model: Path, tmp_path: Path) -> None:
    result = cli("classify", "--model", model, tmp_path)
    check(result, "there are no pictures in what was given", "name files or folders")


def test_a_folder_of_another_label(cli: Cli, model: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), frame_of(3))
    check(cli("evaluate", "--model", model, tmp_path), "the folder 'cat' is no label of the model")


def test_golden_vectors_of_a_model_that_has_none(cli: Cli, stranger: Path) -> None:
    check(cli("verify", stranger), "carries no golden vectors", "made by 'edgecls convert' do")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("fly",), id="an unknown command"),
        pytest.param(("camera",), id="no model"),
        pytest.param(("camera", "--model"), id="a model without its name"),
        pytest.param(("camera", "--model", "m", "--speed", "9"), id="an unknown option"),
        pytest.param(("classify", "--model", "m"), id="no pictures"),
        pytest.param(
            ("classify", "--model", "m", "--top-k", "many", "a.jpg"), id="a word for a number"
        ),
    ],
)
def test_wrong_usage_is_exit_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr
