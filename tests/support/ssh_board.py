"""A board on loopback: a real sshd, with keys, a home and programs of its own."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Self

import pytest
from typer.testing import CliRunner

from edgecls.cli.main import make_app
from tests.support.broker import HOST, can_connect, free_port, wait_until

# Stands in for the board's `edgecls`: it is this checkout's.
_EDGECLS: Final = '#!/bin/sh\nexec {python} -m edgecls "$@"\n'
_PYTHON: Final = '#!/bin/sh\nexec {python} "$@"\n'
_SSH: Final = '#!/bin/sh\nexec {ssh} -F {folder}/ssh_config "$@"\n'
_SSH_CONFIG: Final = """UserKnownHostsFile {folder}/known_hosts
GlobalKnownHostsFile none
IdentityFile {folder}/key
IdentitiesOnly yes
IdentityAgent none
BatchMode yes
"""
_SSHD_CONFIG: Final = """ListenAddress {host}
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
SetEnv PATH={folder}/bin:/usr/bin:/bin HOME={folder}/home EDGECLS_CACHE={folder}/cache
"""


class SshBoard:
    """A board that this machine's `ssh` reaches.

    Args:
        folder: For everything of it: `bin` (first on its PATH), `home`, `models`.
    """

    def __init__(self, folder: Path) -> None:
        sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        ssh = shutil.which("ssh")
        if sshd is None or ssh is None:
            pytest.skip("sshd is not installed: apt-get install openssh-server")
        self._sshd = sshd
        self.folder = folder
        self.port = free_port()
        self.host = f"{getpass.getuser()}@{HOST}"
        self.models = folder / "models"
        self.bin = folder / "bin"
        for each in (self.models, self.bin, folder / "home", folder / "here"):
            each.mkdir()
        self.install("python3", _PYTHON.format(python=sys.executable))
        self.install("edgecls", _EDGECLS.format(python=sys.executable))
        # The side that deploys finds an `ssh` that knows nothing of the user who runs the tests.
        _write_program(folder / "here/ssh", _SSH.format(ssh=ssh, folder=folder))
        self._make_keys()
        self._process: subprocess.Popen[bytes] | None = None

    def _make_keys(self) -> None:
        for name in ("host_key", "key"):
            words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
            subprocess.run(words, check=True)
        shutil.copy(self.folder / "key.pub", self.folder / "authorized_keys")
        kind, host_key, *_ = (self.folder / "host_key.pub").read_text().split()
        known = f"[{HOST}]:{self.port} {kind} {host_key}\n"
        (self.folder / "known_hosts").write_text(known)
        place = {"folder": self.folder, "port": self.port, "host": HOST}
        (self.folder / "ssh_config").write_text(_SSH_CONFIG.format(**place))
        (self.folder / "sshd_config").write_text(_SSHD_CONFIG.format(**place))

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd locks itself up
        log = (self.folder / "sshd.log").open("ab")
        self._process = subprocess.Popen(
            [self._sshd, "-D", "-e", "-f", str(self.folder / "sshd_config")], stderr=log
        )
        wait_until(lambda: can_connect(self.port), "sshd listens")
        return self

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)
            self._process = None

    def install(self, name: str, text: str) -> None:
        """Put a program on the board's PATH."""
        _write_program(self.bin / name, text)

    def deploy(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run `edgecls deploy` against it, in this process; only ssh is another."""
        place = (self.host, "--port", self.port, "--path", self.models)
        words = ["deploy", *map(str, (*place, *arguments))]
        done = CliRunner().invoke(make_app("deploy"), words, env={"PATH": self.environment["PATH"]})
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    @property
    def environment(self) -> dict[str, str]:
        """In which `ssh` reaches it."""
        return {**os.environ, "PATH": f"{self.folder}/here:{os.environ['PATH']}"}

    @property
    def model(self) -> Path:
        """Where its model lies."""
        return self.models / "model.tflite"

    def names(self) -> list[str]:
        """What lies beside the model, whatever it is."""
        return sorted(path.name for path in self.models.iterdir())


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The object that `--json` printed."""
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
