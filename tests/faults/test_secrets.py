"""A password that a camera or a broker needs is in nothing that is printed, sent on or written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.mjpeg_server import MjpegServer, answer, endless, jpeg_of
from tests.support.patience import patience

SECRET: Final = "hid%40den"
FORMS: Final = (b"hid%40den", b"hid@den", b"aGlkQGRlbg", b"hid%2540den")  # in base64, too
REFUSED: Final = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n\r\n"


@pytest.mark.fault(61)
def test_it_is_in_no_file_that_a_camera_writes(model: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    change = f"{sys.executable} -c 'import os; open({str(told)!r}, \"a\").write(str(os.environ))'"
    with MjpegServer(answer(REFUSED), endless(jpeg_of((128, 128, 128)))) as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "edgecls", "camera", "--model", model, "--json"),
                *("--source", server.url(login=f"me:{SECRET}@"), "--max-frames", "30"),
                *("--jsonl", tmp_path / "a.jsonl", "--csv", tmp_path / "a.csv"),
                *("--record", tmp_path / "records", "--record-when", "all", "--record-free", "0"),
                *("--on-change", change),
            ],
            capture_output=True,
            check=True,
            timeout=patience(30),
        )
    assert any(b"aGlkQGRlbg" in request for request in server.requests)  # the camera did get it
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 4
    everything = b"".join([done.stdout, done.stderr, *(path.read_bytes() for path in files)])
    names = "".join(str(path) for path in files).encode()
    assert [form for form in FORMS if form in everything + names] == []


@pytest.mark.fault(61)
@pytest.mark.parametrize(
    "address",
    [
        f"http://me:{SECRET}@127.0.0.1:1/stream",
        f"rtsp://me:{SECRET}@127.0.0.1:1/stream",
        f"ftp://me:{SECRET}@127.0.0.1/stream",
        f"http://me:{SECRET}@127.0.0.1:port/stream",
        f"http://me:{SECRET}@[::1/stream",
        f"concat:http://me:{SECRET}@127.0.0.1/a|b",
        f"http:/me:{SECRET}@127.0.0.1/one-slash",
        f"http://127.0.0.1:1/stream?user=me&password={SECRET}",
    ],
)
def test_it_is_in_no_error(model: Path, address: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edgecls", "camera", "--model", model, "--json"),
            *("--source", address, "--no-wait"),
        ],
        capture_output=True,
        check=False,
        timeout=patience(40),
        env={**os.environ, "EDGECLS_DEBUG": ""},
    )
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert said
    assert [form for form in FORMS if form in said] == []


@pytest.mark.fault(61)
def test_a_password_that_no_broker_takes_is_not_told(model: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hid@den\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edgecls", "camera", "--model", model, "--json"),
            *("--source", "fake:colors?fps=50&loop=1", "--max-frames", "20"),
            *("--mqtt", "mqtt://me@127.0.0.1:1/a"),
            *("--mqtt-password-file", tmp_path / "password"),
        ],
        capture_output=True,
        check=False,
        timeout=patience(30),
    )
    assert done.returncode == 0
    assert [form for form in FORMS if form in done.stdout + done.stderr] == []
