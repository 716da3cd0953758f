"""`devices/common/setup.sh` as a rehearsal, on boards made of files: what would it do there?"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

COMMON: Final = Path(__file__).parents[2] / "devices/common"
SETUP: Final = COMMON / "setup.sh"
RELEASES: Final = {"bullseye": 11, "bookworm": 12, "trixie": 13}

Rehearse = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a script for a shell")


def write_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def rehearse(tmp_path: Path) -> Rehearse:
    """Runs the script as a rehearsal on a made-up board."""

    def run(
        *options: str,
        codename: str = "bookworm",
        bits: str = "arm64",
        machine: str = "aarch64",
        model: str = "Raspberry Pi 4 Model B Rev 1.4",
        offers_picamera2: bool = True,
        has_user: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        root, programs = tmp_path / "root", tmp_path / "bin"
        for folder in ("etc", "proc/device-tree"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "etc/os-release").write_text(
            f'PRETTY_NAME="Debian GNU/Linux {RELEASES[codename]} ({codename})"\n'
            f"VERSION_CODENAME={codename}\n"
        )
        (root / "proc/device-tree/model").write_bytes(model.encode() + b"\0")
        (root / "etc/group").write_text("root:x:0:\nvideo:x:44:\nplugdev:x:46:\n")
        own = "edgecls:x:999:999::/var/lib/edgecls:/usr/sbin/nologin\n" if has_user else ""
        (root / "etc/passwd").write_text(f"root:x:0:0:root:/root:/bin/sh\n{own}")
        candidate = "0.3.27-1" if offers_picamera2 else "(none)"
        write_program(programs / "dpkg", f"echo {bits}")
        write_program(programs / "uname", f"echo {machine}")
        write_program(programs / "apt-cache", f"echo '  Candidate: {candidate}'")
        return subprocess.run(
            [str(SETUP), "--dry-run", "--root", str(root), "--user", "pi", *options],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{programs}:{os.environ['PATH']}"},
        )

    return run


def commands(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What would have been run, a line each."""
    assert done.returncode == 0, done.stderr
    return [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]


def test_a_64_bit_pi_gets_packages_users_an_environment_and_the_service(rehearse: Rehearse) -> None:
    found = "\n".join(commands(rehearse()))
    for expected in (
        "apt-get -q update",
        "install python3-venv libgl1 libglib2.0-0 python3-picamera2",
        "groupadd --system edgecls",
        "useradd --system --gid edgecls --home-dir /var/lib/edgecls",
        "usermod -a -G video,plugdev edgecls",
        "usermod -a -G video,plugdev,edgecls pi",
        "install -d -m 755 -o pi -g root /var/lib/edgecls",
        "python3 -m venv --system-site-packages /opt/edgecls/venv",
        "ln -sfn /opt/edgecls/venv/bin/edgecls /usr/local/bin/edgecls",
        "/etc/udev/rules.d/70-edgecls.rules",
        "udevadm control --reload-rules",
        "/etc/systemd/system/edgecls-camera.service",
        "/etc/edgecls/camera.env",
        "systemctl daemon-reload",
        "systemctl --quiet enable edgecls-camera.service",
    ):
        assert expected in found


@pytest.mark.fault(115)
def test_a_folder_that_others_may_write_to_is_taken_from_them(
    rehearse: Rehearse, tmp_path: Path
) -> None:
    folder = tmp_path / "root/var/lib/edgecls"
    folder.mkdir(parents=True)
    folder.chmod(0o2775)
    done = rehearse()
    found = "\n".join(commands(done))
    assert "chmod 00755 /var/lib/edgecls\nchown pi /var/lib/edgecls" in found
    assert "it is taken from it" in done.stderr
    folder.chmod(0o755)
    assert "chown" not in "\n".join(commands(rehearse()))


def test_nothing_is_done(rehearse: Rehearse, tmp_path: Path) -> None:
    rehearse()
    before = sorted((tmp_path / "root").rglob("*"))
    rehearse()
    assert sorted((tmp_path / "root").rglob("*")) == before


@pytest.mark.parametrize(
    ("codename", "glib"),
    [
        pytest.param("bookworm", "libglib2.0-0 ", id="bookworm"),
        pytest.param("trixie", "libglib2.0-0t64 ", id="trixie, where the package has a new name"),
    ],
)
def test_opencv_gets_what_its_wheel_lacks(rehearse: Rehearse, codename: str, glib: str) -> None:
    (install,) = (line for line in commands(rehearse(codename=codename)) if "install pyth" in line)
    assert f"libgl1 {glib}" in install


@pytest.mark.parametrize(
    ("codename", "has_limits"),
    [
        pytest.param("bookworm", True, id="bookworm's is built for numpy 1"),
        pytest.param("trixie", False, id="trixie's is built for numpy 2"),
    ],
)
def test_numpy_suits_the_systems_picamera2(
    rehearse: Rehearse, codename: str, has_limits: bool
) -> None:
    found = "\n".join(commands(rehearse(codename=codename)))
    assert ("install numpy<2 opencv-python<4.12" in found) == has_limits


@pytest.mark.parametrize(
    "made",
    [
        pytest.param({"model": "Some other board"}, id="another board"),
        pytest.param({"offers_picamera2": False}, id="Debian itself, which has no picamera2"),
    ],
)
def test_without_picamera2_the_environment_is_apart(
    rehearse: Rehearse, made: dict[str, str]
) -> None:
    found = commands(rehearse(**made))
    assert "python3 -m venv /opt/edgecls/venv" in found
    assert not any("numpy<2" in line or "picamera2" in line for line in found)


def test_a_pi_without_picamera2_is_told_what_that_means(rehearse: Rehearse) -> None:
    done = rehearse(offers_picamera2=False)
    assert "ribbon cameras need Raspberry Pi OS; USB cameras work" in done.stderr


def test_no_picamera_wanted(rehearse: Rehearse) -> None:
    assert "picamera2" not in "\n".join(commands(rehearse("--no-picamera")))


def test_a_32_bit_bookworm_gets_the_older_engine_and_a_word(rehearse: Rehearse) -> None:
    # The kernel of a 32-bit Raspberry Pi OS has 64 bits: the packages decide.
    done = rehearse(bits="armhf", machine="aarch64")
    found = "\n".join(commands(done))
    assert "python3-numpy python3-opencv" in found
    assert "install typer<0.29 paho-mqtt>=2 tflite-runtime>=2.14 numpy<2" in found
    assert "--system-site-packages" in found
    assert "int8 about ten times slower" in done.stderr


@pytest.mark.parametrize(
    ("made", "problem", "hint"),
    [
        pytest.param(
            {"bits": "armhf", "codename": "trixie"},
            "on a 32-bit Trixie no engine can be installed",
            "put the 64-bit Raspberry Pi OS on the card",
            id="32-bit trixie",
        ),
        pytest.param(
            {"bits": "armhf", "machine": "armv6l"},
            "no engine exists for the processor of this board (ARMv6)",
            "use a Pi Zero 2 W",
            id="the first Pi Zero",
        ),
        pytest.param(
            {"codename": "bullseye"},
            "(bullseye) is neither Bookworm nor Trixie",
            "put the 64-bit Raspberry Pi OS on the card",
            id="bullseye",
        ),
        pytest.param(
            {"bits": "riscv64"}, "no engine is known for riscv64", "edgecls runs on", id="risc-v"
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_done(
    rehearse: Rehearse, made: dict[str, str], problem: str, hint: str
) -> None:
    done = rehearse(**made)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert problem in done.stderr
    assert f"  hint: {hint}" in done.stderr


def test_a_user_that_is_there_is_not_made_again(rehearse: Rehearse) -> None:
    assert not any("useradd" in line for line in commands(rehearse(has_user=True)))


def test_no_service_wanted(rehearse: Rehearse) -> None:
    found = "\n".join(commands(rehearse("--no-service")))
    assert "systemctl" not in found
    assert "camera.env" not in found


def test_a_wheel_is_installed_as_it_is(rehearse: Rehearse, tmp_path: Path) -> None:
    wheel = tmp_path / "edgecls-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"")
    found = "\n".join(commands(rehearse("--from", str(wheel))))
    assert f"--force-reinstall --no-deps {wheel}" in found
    assert "pip --disable-pip-version-check -q wheel" not in found


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        pytest.param(["--nonsense"], 2, "there is no option '--nonsense'", id="unknown option"),
        pytest.param(["--from"], 2, "usage: setup.sh", id="option without its value"),
        pytest.param(["--from", "/nowhere/x.whl"], 1, "there is no /nowhere/x.whl", id="no wheel"),
        pytest.param(["--from", "/tmp"], 1, "/tmp is no checkout of edgecls", id="another folder"),
    ],
)
def test_wrong_usage(rehearse: Rehearse, options: list[str], status: int, words: str) -> None:
    done = rehearse(*options)
    assert done.returncode == status
    assert words in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_it_needs_root() -> None:
    done = subprocess.run([str(SETUP)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "this needs the rights of root" in done.stderr


def test_a_root_that_is_not_the_systems_is_for_rehearsals_alone(tmp_path: Path) -> None:
    command = [str(SETUP), "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--root is for --dry-run alone" in done.stderr


def test_the_udev_rules_name_a_coral_before_and_after_its_firmware() -> None:
    rules = (COMMON / "70-edgecls.rules").read_text()
    for vendor, product in (("1a6e", "089a"), ("18d1", "9302")):
        assert f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"' in rules


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(["shellcheck", str(SETUP)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
