"""`edgecls deploy` where ssh does not get through, or breaks off: what is said and left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.broker import free_port, wait_until
from tests.support.ssh_board import SshBoard

Models = dict[str, Path]


def test_nobody_listens(board: SshBoard, models: Models) -> None:
    done = board.deploy("--model", models["first"], "--port", free_port())
    assert re.fullmatch(
        rf"error: {board.host} cannot be reached: .*Connection refused\n"
        r"  hint: is ssh switched on there\? \(raspi-config, Interface Options\)\n",
        done.stderr,
    )


def test_the_name_is_nobodys(board: SshBoard, models: Models) -> None:
    done = board.deploy("board.invalid", "--model", models["first"])
    assert done.returncode == 1
    assert (
        "board.invalid: error: board.invalid cannot be reached: ssh: Could not resolve hostname"
    ) in done.stderr


def test_the_key_is_not_known(board: SshBoard, models: Models, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    keys = board.folder / "authorized_keys"
    mine = keys.read_text()
    keys.write_text("")
    refused = board.deploy("--model", models["first"])
    keys.write_text((tmp_path / "key.pub").read_text())
    done = board.deploy("--model", models["first"], "--identity", key)
    keys.write_text(mine)
    assert "cannot be reached: " in refused.stderr
    assert "Permission denied" in refused.stderr
    assert done.returncode == 0


def test_the_board_is_another_one_than_before(board: SshBoard, models: Models) -> None:
    known = board.folder / "known_hosts"
    before = known.read_text()
    host, kind, _ = before.split()
    known.write_text(f"{host} {kind} {(board.folder / 'key.pub').read_text().split()[1]}\n")
    done = board.deploy("--model", models["first"])
    known.write_text(before)
    assert "Host key verification failed" in done.stderr
    assert f"  hint: run 'ssh {board.host}' once by hand" in done.stderr


def test_a_board_that_has_the_model_finishes_alone(board: SshBoard, models: Models) -> None:
    (board.bin / "refusal").write_text("sleep 1\n")
    words = ("deploy", board.host, "--port", board.port, "--path", board.models, "--model")
    with subprocess.Popen(
        [sys.executable, "-m", "edgecls", *map(str, words), str(models["first"])],
        env=board.environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().endswith(": copied\n")
        os.killpg(process.pid, signal.SIGKILL)
    assert not board.model.exists()
    wait_until(board.model.exists, "the board has swapped", 10.0)
    assert board.model.read_bytes() == models["first"].read_bytes()


def test_it_breaks_off_before_that(board: SshBoard, models: Models) -> None:
    board.install("python3", "#!/bin/sh\nkill -9 $PPID\n")
    done = board.deploy("--model", models["first"])
    assert done.returncode == 1
    assert f"error: the connection to {board.host} broke off: " in done.stderr


def test_the_board_has_no_python(board: SshBoard, models: Models) -> None:
    board.install("python3", "#!/nowhere/python\n")
    done = board.deploy("--model", models["first"])
    assert done.stderr.startswith(f"error: {board.host} has no python3: ")
