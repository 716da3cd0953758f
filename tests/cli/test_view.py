"""`edgecls camera --view`: where the page is, who may see it, and that it ends with the loop."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from edgecls.cli.grouped import GroupedCommand
from edgecls.cli.web import ViewOption
from tests.cli.conftest import Cli
from tests.support.patience import patience
from tests.support.web import connect, fetch

LIVE = "fake:colors?fps=30&loop=1"


@contextlib.contextmanager
def camera(model: Path, *more: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A running loop; what it says on stderr can be read."""
    command = [sys.executable, "-m", "edgecls", "camera", "--model", str(model), "--source", LIVE]
    with subprocess.Popen(
        [*command, *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_port(process: subprocess.Popen[str]) -> int:
    """Where the page is, as the command says."""
    assert process.stderr is not None
    found = re.fullmatch(r"view: http://\S+:(\d+)/\n", process.stderr.readline())
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["--view"], "view='' other=None", id="alone"),
        pytest.param(["--view", "--other", "x"], "view='' other='x'", id="before another option"),
        pytest.param(["--view", "0.0.0.0:80"], "view='0.0.0.0:80' other=None", id="with a value"),
        pytest.param(["--view=:80"], "view=':80' other=None", id="with an equals sign"),
        pytest.param([], "view=None other=None", id="not at all"),
    ],
)
def test_view_may_stand_alone(arguments: list[str], told: str) -> None:
    app = typer.Typer()

    @app.command(cls=GroupedCommand)
    def command(
        view: ViewOption = None, other: Annotated[str | None, typer.Option("--other")] = None
    ) -> None:
        print(f"{view=} {other=}")

    assert CliRunner().invoke(app, arguments).stdout.strip() == told


def test_it_says_where_the_page_is_and_serves_it(model: Path) -> None:
    with camera(model, "--view", "127.0.0.1:0") as process:
        port = read_port(process)
        assert b"edgecls" in fetch(port).body
        assert fetch(port, "/snapshot").headers["content-type"] == "image/jpeg"


def test_other_machines_need_the_token_of_a_file_that_it_names(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "edgecls" / "view-token"
    with camera(model, "--view", "0.0.0.0:0", XDG_STATE_HOME=str(tmp_path)) as process:
        port = read_port(process)
        assert process.stderr is not None
        assert process.stderr.readline() == f"view: its token is in {path}\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert fetch(port).status == 401
        bearer = f"Bearer {path.read_text().strip()}"
        assert fetch(port, Authorization=bearer).status == 200
        assert fetch(port, Authorization=bearer, Host="evil.example").status == 403


def test_it_ends_with_the_loop_whoever_looks(model: Path) -> None:
    with camera(model, "--view", "127.0.0.1:0") as process:
        port = read_port(process)
        with connect(port) as events, connect(port) as pictures, connect(port) as silent:
            events.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            pictures.sendall(b"GET /picture HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert events.recv(10)
            assert pictures.recv(10)
            silent.sendall(b"GET")
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            assert time.monotonic() - started < patience(2.0)
            told = b""
            while more := events.recv(65536):
                told += more
        assert b'"event": "summary"' in told


def test_a_port_that_is_taken_is_one_error_before_the_first_frame(cli: Cli, model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = cli("camera", "--model", model, "--source", LIVE, "--view", f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert f"error: cannot listen at 127.0.0.1:{port}: Address already in use" in result.stderr


@pytest.mark.parametrize("option", ["--host-name", "--token-file"])
def test_what_is_of_the_page_needs_one(cli: Cli, model: Path, option: str) -> None:
    result = cli("camera", "--model", model, "--source", LIVE, option, "x")
    assert result.exit_code == 1
    assert "hint: add --view" in result.stderr


def test_nothing_of_it_is_imported_where_nobody_asks_for_it(model: Path) -> None:
    script = (
        "import sys\nfrom edgecls.cli.main import make_app\n"
        f"sys.argv = ['edgecls', 'camera', '--model', {str(model)!r}, '--source', 'fake:colors']\n"
        "try:\n    make_app('camera')()\nexcept SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name.startswith('edgecls.web')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
