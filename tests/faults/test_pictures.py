"""One folder with everything that is no picture, or an odd one, before every command that reads."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from edgecls.imaging.opencv import cv2
from tests.support import odd_pictures as odd
from tests.support.patience import patience
from tests.support.tiny_model import frame_of

Cli = Callable[..., Any]

BRIGHT: Final = frame_of(7)
HUGE: Final = (65500, 65500)
# What is where a picture was expected: a file name, and how the message names it.
UNREADABLE: Final = [
    pytest.param("half.jpg", "the JPEG is cut off", marks=pytest.mark.fault(23), id="half a JPEG"),
    pytest.param("sums.png", "wrong checksum", marks=pytest.mark.fault(24), id="a wrong checksum"),
    pytest.param("empty.jpg", "the file is empty", marks=pytest.mark.fault(25), id="zero bytes"),
    pytest.param("bomb.png", "65500x65500 pixels", marks=pytest.mark.fault(27), id="a bomb"),
    pytest.param("huge.jpg", "65500x65500 pixels", marks=pytest.mark.fault(28), id="a huge claim"),
    pytest.param("phone.heic", "HEIC pictures are not supported", marks=pytest.mark.fault(32),
                 id="HEIC"),
    pytest.param("gone.png", "there is no file", marks=pytest.mark.fault(37), id="a dangling link"),
    pytest.param("round.png", "symbolic links", marks=pytest.mark.fault(37), id="a link to itself"),
]  # fmt: skip
# Odd ones that are pictures all the same.
READABLE: Final = [
    pytest.param(b"png.jpg", marks=pytest.mark.fault(26), id="a PNG called .jpg"),
    pytest.param(b"gray.png", marks=pytest.mark.fault(29), id="gray"),
    pytest.param(b"deep.png", marks=pytest.mark.fault(29), id="16 bits"),
    pytest.param(b"turned.jpg", marks=pytest.mark.fault(30), id="turned by EXIF"),
    pytest.param(b"still.gif", marks=pytest.mark.fault(31), id="a GIF"),
    pytest.param(b"caf\xe9.png", marks=pytest.mark.fault(33), id="a name that is not UTF-8"),
    pytest.param(
        "line\nbreak \N{DUCK}.png".encode(), marks=pytest.mark.fault(34), id="a line break"
    ),
    pytest.param(b"thin.png", marks=pytest.mark.fault(41), id="one column"),
]


def encoded(kind: str, pixels: Any = BRIGHT) -> bytes:
    return bytes(cv2.imencode(kind, pixels)[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All of them, and what is no file at all."""
    folder = tmp_path_factory.mktemp("odd")
    jpeg, png = encoded(".jpg"), encoded(".png")
    contents: dict[bytes, bytes] = {
        b"half.jpg": jpeg[: len(jpeg) // 2],
        b"sums.png": png[:60] + bytes([png[60] ^ 1]) + png[61:],
        b"empty.jpg": b"",
        b"bomb.png": odd.png_header(HUGE),
        b"huge.jpg": odd.jpeg_header(HUGE),
        b"phone.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"png.jpg": png,
        b"gray.png": encoded(".png", BRIGHT[..., 0]),
        b"deep.png": encoded(".png", BRIGHT.astype(np.uint16) * 257),
        b"turned.jpg": odd.with_exif(jpeg, odd.exif(6)),
        b"still.gif": encoded(".gif"),
        b"caf\xe9.png": png,
        "line\nbreak \N{DUCK}.png".encode(): png,
        b"thin.png": encoded(".png", BRIGHT[:, :1]),
    }
    for name, content in contents.items():
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(content)
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "round.png").symlink_to("round.png")
    (folder / "deeper").mkdir()
    (folder / "deeper/back").symlink_to("..")
    os.mkfifo(folder / "pipe.png")
    os.symlink("/dev/zero", folder / "device.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket.png"))
        yield folder


def run(*arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """`edgecls` in a process of its own, which may not hang."""
    command = [sys.executable, "-m", "edgecls", *map(str, arguments)]
    return subprocess.run(
        command, input=given, capture_output=True, check=False, timeout=patience(30)
    )


@pytest.fixture(scope="module")
def found(folder: Path, models: Path) -> dict[str, dict[str, Any]]:
    """What `classify` says of each: name of the file -> its line."""
    done = run("classify", "--json", "--model", models / "tiny.tflite", folder)
    assert done.returncode == 1  # some could not be read
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (
        done.stderr.decode() == f"{len(UNREADABLE)} of {len(lines)} files could not be classified\n"
    )
    return {os.path.basename(line["file"]): line for line in lines}


@pytest.mark.parametrize(("name", "problem"), UNREADABLE)
def test_what_is_no_picture_is_told(
    found: dict[str, dict[str, Any]], name: str, problem: str
) -> None:
    assert problem in found[name]["error"]
    assert "predictions" not in found[name]


@pytest.mark.parametrize("name", READABLE)
def test_what_is_an_odd_picture_is_classified(
    found: dict[str, dict[str, Any]], name: bytes
) -> None:
    assert found[os.fsdecode(name)]["predictions"][0]["label"] == "level 7"


@pytest.mark.fault(36)
@pytest.mark.fault(37)
def test_what_is_no_file_is_left_out(found: dict[str, dict[str, Any]]) -> None:
    assert len(found) == len(UNREADABLE) + len(READABLE)
    assert not {"pipe.png", "socket.png", "device.png", "back"} & set(found)


@pytest.mark.fault(36)
@pytest.mark.parametrize("name", ["pipe.png", "device.png", "socket.png"])
@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("classify", "a device, pipe or socket, wanted a file|cannot open"),
        ("camera", "a pipe, a socket or a device that is no camera"),
        ("bench", "none of the pictures"),
        ("model", "a device, pipe or socket, wanted a file|cannot open"),
        ("labels", "a device, pipe or socket, wanted a file|cannot open"),
    ],
)
def test_a_pipe_a_device_or_a_socket_by_name_is_not_waited_for(
    folder: Path, models: Path, command: str, problem: str, name: str
) -> None:
    model, place = models / "tiny.tflite", folder / name
    arguments: dict[str, tuple[object, ...]] = {
        "classify": ("classify", "--model", model, place),
        "camera": ("camera", "--model", model, "--source", place),
        "bench": ("bench", "--model", model, "--seconds", "0.1", "--data", place),
        "model": ("inspect", place),
        "labels": ("classify", "--model", models / "stranger.tflite", "--labels", place, folder),
    }
    done = run(*arguments[command])
    assert done.returncode == 1
    assert re.search(problem, done.stderr.decode())


@pytest.mark.fault(23)
@pytest.mark.fault(36)
def test_a_camera_of_files_counts_what_it_cannot_read(folder: Path, models: Path) -> None:
    done = run("camera", "--model", models / "tiny.tflite", "--source", folder, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert events[-1]["classified"] == len(READABLE)
    assert events[-1]["unreadable"] == len(UNREADABLE)


@pytest.mark.fault(23)
@pytest.mark.fault(33)
@pytest.mark.fault(36)
def test_evaluating_counts_what_it_cannot_read(folder: Path, models: Path, tmp_path: Path) -> None:
    (tmp_path / "level 7").symlink_to(folder)
    (tmp_path / "level 2").mkdir()
    cv2.imwrite(str(tmp_path / "level 2/a.png"), frame_of(2))
    done = run("evaluate", "--json", "--model", models / "tiny.tflite", tmp_path)
    report = json.loads(done.stdout)
    assert (report["images"], report["unreadable"]) == (len(READABLE) + 1, len(UNREADABLE))
    assert report["top1"] == 1.0


@pytest.mark.fault(35)
def test_a_nul_in_a_path_is_an_error(models: Path) -> None:
    done = run("classify", "--json", "--model", models / "tiny.tflite", "-", given=b"a\0b.png\n")
    assert done.returncode == 1
    assert "null" in json.loads(done.stdout)["error"]


@pytest.mark.fault(38)
def test_a_file_that_vanishes_on_the_way_is_counted(models: Path, pictures: Path) -> None:
    first, second = sorted(pictures.iterdir())
    command = [sys.executable, "-m", "edgecls", "classify", "--json", "--model"]
    command += [str(models / "tiny.tflite"), "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(os.fsencode(first) + b"\n")
        process.stdin.flush()
        assert "predictions" in json.loads(process.stdout.readline())
        second.unlink()
        out, err = process.communicate(os.fsencode(second) + b"\n", timeout=patience(20))
    assert "there is no file" in json.loads(out)["error"]
    assert err == b"1 of 2 files could not be classified\n"
    assert process.returncode == 1


@pytest.mark.fault(39)
@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read anything")
def test_a_file_that_may_not_be_read_is_counted(models: Path, pictures: Path) -> None:
    next(pictures.iterdir()).chmod(0)
    done = run("classify", "--json", "--model", models / "tiny.tflite", pictures)
    assert b"Permission denied" in done.stdout
    assert done.returncode == 1


@pytest.mark.fault(39)
@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can become somebody else")
def test_a_file_that_may_not_be_read_is_an_error_for_somebody_else(pictures: Path) -> None:
    path = next(pictures.iterdir())
    path.chmod(0)
    for each in (path, *path.parents):
        if each != path and each.stat().st_uid == 0 and str(each).startswith("/tmp/"):
            each.chmod(0o755)
    asked = (
        "import os, sys; from pathlib import Path;"
        "from edgecls.pictures.folder import read_picture;"
        "from edgecls.errors import PictureError;"
        "os.setuid(65534);"
        "\ntry: read_picture(Path(sys.argv[1]))"
        "\nexcept PictureError as wrong: print(wrong.problem)"
    )
    said = subprocess.check_output([sys.executable, "-c", asked, path], text=True)
    assert said.endswith("Permission denied\n")


@pytest.mark.fault(27)
def test_a_bomb_in_a_folder_costs_a_running_command_nothing(models: Path, tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}.png").write_bytes(odd.png_header(HUGE))
    started = time.monotonic()
    done = run("classify", "--model", models / "tiny.tflite", tmp_path)
    assert done.returncode == 1
    assert time.monotonic() - started < patience(10)


@pytest.mark.fault(23)
def test_what_a_decoder_says_of_a_damaged_picture_is_not_repeated(
    models: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    jpeg = encoded(".jpg", noise)
    for number in range(5):
        # It has an end, so it is a picture; the decoder complains of what is missing before it.
        (tmp_path / f"{number}.jpg").write_bytes(jpeg[:-20_000] + b"\xff\xd9")
    said = {
        debug: subprocess.run(
            [
                sys.executable,
                "-m",
                "edgecls",
                "classify",
                "--model",
                models / "tiny.tflite",
                tmp_path,
            ],
            capture_output=True,
            check=False,
            env={**os.environ, "EDGECLS_DEBUG": debug},
        ).stderr
        for debug in ("", "1")
    }
    assert said[""] == b""
    assert b"Corrupt JPEG data" in said["1"]  # or this shows nothing
