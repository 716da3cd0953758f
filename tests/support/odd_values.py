"""Every option and variable of every command with values that nobody has thought of.

    python -m tests.support.odd_values camera [--values N] [--seed S]
    python -m tests.support.odd_values environment

A process is forked for each value, so that what one does harms no other. How it ended is judged: a
signal, exit 70 (`EDGECLS_STRICT`), a traceback, no end, an exit of 1 without "error", control
characters on the terminal are findings.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import typer

from edgecls.cli.main import main, make_app
from edgecls.imaging.opencv import cv2
from tests.support.patience import patience
from tests.support.tiny_model import frame_of, write_tiny_model

VALUES: Final = (
    "", " ", "-", "--", "-1", "0", "1", "3", "0.5", "true", "None", "[]", "{}", "{label", "%s", "%",
    "nan", "inf", "-inf", "1e400", "1e-320", "1e9", "1e18", "9" * 30, "9" * 5000, "0x10", "1_000",
    "٣", "²", "½", ",", "a,b", "a,a", ",,,", "1,2,3", "1,2,3,4", "0.1,0.1,0,0", "nan,0,1,1",
    "1e9,1e9,1e9,1e9", ":", ":0", ":99999", "::", "localhost:x", "host.invalid:1", "[::1",
    "[::1]:x", "127.0.0.1:٣", "127.0.0.1:²", ":" + "9" * 5000, "http://[::1/", "http://",
    "http://a:b@c.invalid:d/", "http://127.0.0.1:99999/", "rtsp://[", "rtsp://127.0.0.1:1/\r\nX: y",
    "http://127.0.0.1:1/ä ö", "http://\udcff/", "http://xn--a.\u2024/", "mqtt://[::1/x",
    "mqtt://h.invalid:99999/", "mqtt://127.0.0.1:1/#/+", "mqtts://a\nb@127.0.0.1:1/x",
    "fake:digits?fps=nan", "fake:colors?fps=1e-300", "fake:colors?stall=1:2:3", "fake:", "fake:?",
    "fake:colors?frames=" + "9" * 30, "fake:colors?frames=" + "9" * 5000, "picamera:x",
    "picamera:-1", "/dev/video" + "9" * 20, "file:///etc/passwd", "\udcff", "a\nb", "a\rb",
    "\x1b[31mred", "\u202e", "e\u0301", "😀" * 70, "x" * 300, "x/" * 3000 + "x", "..", ".",
    "/dev/null", "/dev/full", "/dev/stdin", "/proc/self/mem", "/proc/1/root/x", "~nobody/x",
    "~no.such.user/x", "nul/x", "'unclosed", '"', "\\", "$(true)", ";", "&&",
    "../../../../../../x", "con", "a/../../..", "5GB", "-5GB", "nanGB", "infMB", "1e999GB", "1 GB",
    "GB", "0.1B", "1e30TB", "9" * 400 + "TB", "0x0", "1x", "x1", "99999x99999", "-1x-1", "1X1",
    "96x", "1e3x1e3", "٣x٣", "9" * 5000 + "x1", "int8", "auto", "litert", "fake", "cpu", "all",
    "every", "digits", "MAX", "latest", "usb:" + "9" * 5000,
)  # fmt: skip
_LIMIT_S: Final = 60.0
# Servers have no end of their own: they are ended when they have said where they are.
_SERVERS: Final = ("collect", "review")
_AT: Final = b": http://"
# What is wrong is on stdout, in a table.
_TELLS_IN_TABLES: Final = ("check", "classify", "doctor", "explain")
# These are obeyed, for longer than anybody would wait here.
_LONG: Final = {
    *((command, "", value) for command in ("train", "tune") for value in ("", "--", "digits")),
    *(("bench", "--seconds", value) for value in ("1e9", "1e18", "9" * 30, "inf")),
}
_VARIABLES: Final = {
    "verify": ("EDGECLS_CACHE", "CACHE_DIRECTORY", "XDG_CACHE_HOME", "HOME", "TMPDIR", "TZ"),
    "check": ("EDGECLS_CACHE", "EDGECLS_CACHE_GB"),
    "camera": (
        *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNTIME_DIRECTORY", "TZ"),
        *("STATE_DIRECTORY", "XDG_STATE_HOME", "CREDENTIALS_DIRECTORY", "HOME", "INVOCATION_ID"),
        *("EDGECLS_SOURCE_USER", "EDGECLS_SOURCE_PASSWORD", "EDGECLS_MQTT_PASSWORD"),
        *("OPENCV_FFMPEG_CAPTURE_OPTIONS", "SSL_CERT_FILE", "LANG", "PYTHONIOENCODING"),
    ),
    "doctor": ("EDGECLS_EDGETPU_LIBRARY", "EDGECLS_EDGETPU", "COLUMNS", "PATH"),
}


@dataclass(frozen=True, slots=True)
class Try:
    """A command line, with the value that is odd in it, and with variables."""

    words: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [*(f"{name}={value}" for name, value in self.variables.items()), *self.words]
        return ascii([part if len(part) < 60 else f"{part[:40]}..." for part in parts])


def make_inputs(folder: Path) -> None:
    """What commands are given beside the odd value."""
    write_tiny_model(folder / "model.tflite")
    for label in ("level 2", "level 7"):
        (folder / "data" / label).mkdir(parents=True)
        cv2.imwrite(str(folder / "data" / label / "a.png"), frame_of(int(label[-1])))
    (folder / "one/only").mkdir(parents=True)
    cv2.imwrite(str(folder / "one/only/a.png"), frame_of(1))
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(folder / "door.avi"), codec, 10, (64, 48))
    for level in range(6):
        writer.write(cv2.resize(frame_of(level), (64, 48)))
    writer.release()


def make_odd_files(folder: Path) -> list[str]:
    """Files that are not what any option wants, each odd in another way."""
    deep = 100_000
    contents = {
        "empty": b"",
        "nul": bytes(5000),
        "noise": random.Random(1).randbytes(5000),
        "utf16": "cat\r\ndog\r\n".encode("utf-16"),
        "latin": b"caf\xe9\ncat\n",
        "one-line": b"x" * 3_000_000,
        "lines": b"\n" * 3_000_000,
        "digits": b"9" * 5000 + b" cat\n",
        "deep.json": b"[" * deep,
        "deep-object.json": b'{"a":' * deep,
        "null.json": b"null",
        "list.json": b"[[], {}, null, 1e400, NaN]",
        "number.json": b"1" * 5000,
        "deep.toml": b"a = " + b"[" * deep + b"]" * deep,
        "keys.toml": b".".join([b"a"] * 5000) + b" = 1",
        "types.toml": b"[train]\nepochs = [1]\n[board]\nname = 1979-05-27\n[camera]\nsize = nan\n",
        "wide.csv": b'file,label\n"' + b"x" * 200_000 + b'",cat\n',
        "quote.csv": b'time,label\n"0,cat\n1,dog',
        "nul.csv": b"file,label\na.png,c\0t\n",
        "odd.csv": b"time,label\nnan,cat\ninf,dog\n-1,\n1e400,x,y,z\n",
        "frames.csv": b"frame,label\n" + b"9" * 5000 + b",cat\n-1,dog\nx,dog\n",
        "zip.keras": b"PK\x05\x06" + bytes(18),
        "zip.tflite": b"PK\x03\x04" + bytes(200),
        "magic.tflite": b"\x20\0\0\0TFL3" + b"\xff" * 500,
        "jpeg.jpg": b"\xff\xd8\xff" + b"\xff" * 5000,
        "escape\x1b[31m\n.txt": b"\x1b[31mred\n",
    }
    place = folder / "odd"
    place.mkdir()
    for name, content in contents.items():
        (place / name).write_bytes(content)
    os.mkfifo(place / "fifo")
    (place / "loop").symlink_to("loop")
    (place / "folder").mkdir()
    return sorted(str(path) for path in place.iterdir())


def sound_words(folder: Path) -> dict[str, list[str]]:
    """Words behind each command that make it do little, and end."""
    model, data = str(folder / "model.tflite"), str(folder / "data")
    return {
        # Of one class: refused before TensorFlow is loaded.
        "train": [str(folder / "one")],
        "convert": [str(folder / "one")],
        "tune": [str(folder / "one")],
        "camera": ["--model", model, "--source", "fake:colors?fps=0&frames=2", "--duration", "2"],
        "collect": ["kept", "--labels", "cat,dog", "--source", "fake:colors", "--listen", ":0"],
        "review": [data, "--into", "into", "--listen", "127.0.0.1:0"],
        "classify": ["--model", model, data],
        "evaluate": ["--model", model, data],
        "compare": [model, model, data],
        "replay": ["--model", model, str(folder / "door.avi")],
        "explain": ["--model", model, str(folder / "data/level 2/a.png")],
        "check": [data],
        "label": ["--model", model, "--into", "into", str(folder / "data")],
        "inspect": [model],
        "verify": [model],
        "bench": ["--model", model, "--seconds", "0.01"],
        "cameras": [],
        "deploy": ["--model", model, "--port", "1", "nobody@127.0.0.1"],
        "doctor": ["--model", model],
    }


def tries_of(command: str, folder: Path, values: Sequence[str]) -> Iterator[Try]:
    """Each option that takes a value, and each argument, with each of the values."""
    base = sound_words(folder)[command]
    for option in [*_options_of(command), ""]:
        for value in values:
            if (command, option, value) not in _LONG:
                yield Try((command, *_with(list(base), option, value)))


def tries_of_variables(folder: Path, values: Sequence[str]) -> Iterator[Try]:
    """Each variable of the environment with each of the values."""
    base = sound_words(folder)
    more = {
        "camera": ["--mqtt", "mqtt://127.0.0.1:1/", "--view", "0.0.0.0:0"],
        "doctor": ["--source", "http://127.0.0.1:1/"],
    }
    for command, names in _VARIABLES.items():
        words = (command, *base[command], *more.get(command, []))
        for name in names:
            yield from (Try(words, {name: value}) for value in values if value)


def _options_of(command: str) -> list[str]:
    group: Any = typer.main.get_command(make_app(command))
    found = group.commands[command] if hasattr(group, "commands") else group
    options = [one for one in found.params if one.param_type_name == "option"]
    return [str(option.opts[0]) for option in options if not option.is_flag]


def _with(base: list[str], option: str, value: str) -> list[str]:
    """The words with the value in the place of a sound one, or added; without option, as all words
    that are arguments."""
    if option in base:
        base[base.index(option) + 1] = value
        return base
    if option:
        return [*base, f"{option}={value}"]
    names = {place for place, word in enumerate(base) if word.startswith("-")}
    given = [place for place in range(len(base)) if not {place, place - 1} & names]
    return [value if place in given else word for place, word in enumerate(base)] + (
        [] if given else [value]
    )


def run(one: Try, scratch: Path) -> tuple[int | None, str]:
    """Exit status (negative for a signal, None for one that did not end) and what was printed."""
    scratch.mkdir(parents=True)
    printed = scratch.parent / "printed"
    pid = os.fork()
    if not pid:
        _be_edgecls(one, scratch, printed)
    end_s = time.monotonic() + patience(_LIMIT_S)
    while time.monotonic() < end_s:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), printed.read_text("utf-8", "replace")
        if one.words[0] in _SERVERS and printed.exists() and _AT in printed.read_bytes():
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.005)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None, printed.read_text("utf-8", "replace")


def _be_edgecls(one: Try, scratch: Path, printed: Path) -> None:
    """What the forked process does; does not return."""
    os.setsid()
    os.chdir(scratch)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 26, 1 << 26))
    out = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for here, there in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(here, there)
    # What a test's runner has put in their place goes nowhere.
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8") for number in (1, 2))
    os.environ.update(one.variables, EDGECLS_STRICT="1")
    sys.argv = ["edgecls", *one.words]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  # this is what is looked for
        traceback.print_exc()
        code = 70
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def judge(one: Try, code: int | None, said: str) -> str:
    """What is wrong with how it ended; empty if nothing is."""
    last = (said.strip().splitlines() or [""])[-1]
    if code is None:
        return "it does not end"
    if code == -signal.SIGTERM and one.words[0] in _SERVERS:
        return ""  # it was at its end already when we ended it
    if code < 0:
        return f"it died of {signal.Signals(-code).name}"
    if code == 70 or "Traceback (most recent" in said or "in a way it should not" in said:
        return f"a bug: {last:.300}"
    if code not in (0, 1, 2, 130):
        return f"exit status {code}"
    if code == 1 and "error: " not in said and one.words[0] not in _TELLS_IN_TABLES:
        return f"exit 1 without an error: {last:.300}"
    if any(ord(letter) < 32 and letter not in "\n\t\r" for letter in said):
        return "control characters are printed"
    return ""


def find_faults(tries: Iterator[Try], folder: Path) -> Iterator[tuple[Try, str]]:
    """Try them all; those that ended as none may, and what was wrong."""
    for one in tries:
        code, said = run(one, Path(tempfile.mkdtemp(dir=folder)) / "a/b/c")
        if what := judge(one, code, said):
            yield one, what


def _main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("commands", nargs="+", help="commands, or 'environment'")
    parser.add_argument("--values", type=int, default=len(VALUES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", action="store_true", help="names of odd files, as values")
    asked = parser.parse_args()
    count = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["EDGECLS_CACHE"] = str(folder / "cache")
        make_inputs(folder)
        known = make_odd_files(folder) if asked.files else list(VALUES)
        values = random.Random(asked.seed).sample(known, min(asked.values, len(known)))
        for command in asked.commands:
            begun = time.monotonic()
            is_environment = command == "environment"
            tries = list(
                tries_of_variables(folder, values)
                if is_environment
                else tries_of(command, folder, values)
            )
            for one, what in find_faults(iter(tries), folder):
                count += 1
                print(f"FOUND {one}\n   {what!a}", flush=True)
            print(f"{command}: {len(tries)} lines, {time.monotonic() - begun:.0f} s", flush=True)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(_main())
