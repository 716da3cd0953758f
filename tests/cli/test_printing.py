"""Nothing that a stranger has written controls the terminal, whatever command prints it."""

from __future__ import annotations

import dataclasses
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from edgecls.contract.golden import GoldenVectors
from edgecls.contract.modelfile import write_model_file
from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import frame_of, write_tiny_model

# Escapes of 7 and 8 bits, a title of the window, a reversal, an isolate, and an invisible one.
HIDDEN: Final = "\u202e\u2066\u200b"  # which a label may hold
ODD: Final = f"x\x1b[31m\x1b]0;owned\x07\x9b2J\x7f{HIDDEN}"
FORGED: Final = "\nerror: forged\rerror: forged\u2028error: forged"
_OBEYED: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028\u202e\u2066\ud800-\udfff]")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models and a folder of pictures; whatever can be named has an odd name."""
    place = tmp_path_factory.mktemp("place")
    for letter in "ab":
        write_odd_model(place / f"{letter}{ODD}.tflite")
    for level in range(2):
        folder = place / "pictures" / f"{level}{HIDDEN}"
        folder.mkdir(parents=True)
        content = cv2.imencode(".png", frame_of(level, 2))[1].tobytes()
        (folder / f"{level}{ODD}{FORGED}.png").write_bytes(content)
        (folder / f"half{ODD}{FORGED}.png").write_bytes(content[:60])
    return place


def write_odd_model(path: Path) -> None:
    """A model whose card is full of oddities, as far as a card may be."""
    plain = write_tiny_model(path, labels=(f"0{HIDDEN}", f"1{HIDDEN}"))
    wrong = {f"k{ODD}{FORGED}": f"v{ODD}{FORGED}", "inner": {f"k{ODD}": f"v{ODD}{FORGED}"}}
    card = dataclasses.replace(plain.card, provenance=wrong)
    assert isinstance(plain.golden, GoldenVectors)
    write_model_file(path, plain.flatbuffer, card, plain.golden)


def run(place: Path, *words: str) -> str:
    """All that a command says."""
    a, b = f"a{ODD}.tflite", f"b{ODD}.tflite"
    named = [word.replace("MODEL", a).replace("OTHER", b).replace("ODD", ODD) for word in words]
    done = subprocess.run(
        [sys.executable, "-m", "edgecls", *named], cwd=place, capture_output=True, check=False
    )
    return (done.stdout + done.stderr).decode("utf-8")


@pytest.mark.fault(124)
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["inspect", "MODEL"], id="inspect"),
        pytest.param(["inspect", "MODEL", "--edgetpu", "--operators"], id="inspect for Coral"),
        pytest.param(["verify", "MODEL"], id="verify"),
        pytest.param(["classify", "pictures", "--model", "MODEL"], id="classify"),
        pytest.param(["evaluate", "pictures", "--model", "MODEL"], id="evaluate"),
        pytest.param(["compare", "MODEL", "OTHER", "pictures"], id="compare"),
        pytest.param(["bench", "--model", "MODEL", "--seconds", "0.1"], id="bench"),
        pytest.param(["camera", "--model", "MODEL", "--source", "pictures"], id="camera"),
        pytest.param(
            ["camera", "--model", "MODEL", "--source", "fake:gray", "--max-frames", "3"],
            id="a fake camera",
        ),
        pytest.param(["doctor", "--model", "MODEL"], id="doctor"),
        pytest.param(["inspect", "noneODD.tflite"], id="a file that is not there"),
        pytest.param(["camera", "--model", "MODEL", "--source", "noneODD"], id="no camera"),
        pytest.param(["camera", "--model", "MODEL", "--source", "rtsp://ODD"], id="no address"),
        pytest.param(["deploy", "ODD", "--model", "MODEL"], id="no board"),
        pytest.param(["deploy", "localhost", "--model", "noneODD"], id="no model for a board"),
        pytest.param(["--ODD"], id="no option"),
        pytest.param(["ODD"], id="no command"),
        pytest.param(["classify", "pictures", "--model", "MODEL", "--fps", "ODD"], id="no value"),
    ],
)
def test_what_is_printed_is_shown_and_not_obeyed(place: Path, words: list[str]) -> None:
    said = run(place, *words)
    assert said
    assert not _OBEYED.search(said)
    assert not re.search("^error: forged", said, re.MULTILINE)


@pytest.mark.fault(124)
def test_on_a_terminal_the_bar_of_progress_obeys_no_file_name(place: Path) -> None:
    ours, theirs = pty.openpty()
    words = ["evaluate", "pictures", "--model", f"a{ODD}.tflite"]
    subprocess.run(
        [sys.executable, "-m", "edgecls", *words],
        cwd=place,
        stdout=theirs,
        stderr=theirs,
        check=True,
    )
    os.close(theirs)
    said = b""
    try:
        while more := os.read(ours, 65536):
            said += more
    except OSError:  # its other end is closed
        pass
    os.close(ours)
    assert b"accuracy" in said or b"top-1" in said
    assert b"owned\x07" not in said
    assert b"\x1b[31mx" not in said
    assert "\x9b".encode() not in said


@pytest.mark.parametrize("closed", [1, 2], ids=["standard output", "standard error"])
def test_a_stream_that_is_closed_disturbs_nobody(place: Path, closed: int) -> None:
    words = f"exec {sys.executable} -m edgecls --version {closed}>&-"
    done = subprocess.run(["sh", "-c", words], cwd=place, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
