"""`devices/common/setup.sh` in fresh Debians, twice: `make setup-test`.

Of this machine's architecture, since a set-up runs programs of the system. It needs root,
debootstrap and a network, and takes a minute a system.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.devices.fresh_debian import FreshDebian, make_debian

CHECKOUT: Final = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="a set-up needs root"),
    pytest.mark.skipif(shutil.which("debootstrap") is None, reason="debootstrap is missing"),
]


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def debian(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FreshDebian:
    """A fresh system on which the set-up has run once, with a user `pi`."""
    folder = tmp_path_factory.mktemp(request.param)
    copy = folder / "checkout"  # what is being edited meanwhile would be a reason to install again
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, copy)
    for name in ("edgecls", "devices/common"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    made = make_debian(folder / "root", request.param, copy)
    made.run("useradd", "--create-home", "pi")
    done = made.run("/checkout/devices/common/setup.sh", SUDO_USER="pi")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return made


def test_the_second_run_changes_nothing(debian: FreshDebian) -> None:
    before = debian.state()
    done = debian.run("/checkout/devices/common/setup.sh", SUDO_USER="pi")
    assert done.returncode == 0, done.stderr
    assert debian.state() == before
    assert len(before) > 1000


def test_settings_of_the_user_stay(debian: FreshDebian) -> None:
    settings = debian.root / "etc/edgecls/camera.env"
    original = settings.read_text()
    settings.write_text("EDGECLS_OPTIONS=--fps 2\n")
    debian.run("/checkout/devices/common/setup.sh")
    assert settings.read_text() == "EDGECLS_OPTIONS=--fps 2\n"
    settings.write_text(original)


def test_what_was_taken_away_is_put_back(debian: FreshDebian) -> None:
    rules = debian.root / "etc/udev/rules.d/70-edgecls.rules"
    rules.unlink()
    debian.run("gpasswd", "--delete", "edgecls", "video")
    done = debian.run("/checkout/devices/common/setup.sh", SUDO_USER="pi")
    assert done.returncode == 0, done.stderr
    assert rules.is_file()
    assert " video" in debian.run("id", "-nG", "edgecls").stdout


def test_an_environment_that_an_upgrade_of_the_system_broke_is_made_anew(
    debian: FreshDebian,
) -> None:
    shutil.rmtree(debian.root / "opt/edgecls/venv/lib")
    assert debian.run("edgecls", "--version").returncode != 0
    done = debian.run("/checkout/devices/common/setup.sh", SUDO_USER="pi")
    assert done.returncode == 0, done.stderr
    assert debian.run("edgecls", "--version").stdout.startswith("edgecls ")


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        pytest.param("edgecls", {"edgecls", "video", "plugdev"}, id="the service"),
        pytest.param("pi", {"pi", "edgecls", "video", "plugdev"}, id="the person"),
    ],
)
def test_groups(debian: FreshDebian, user: str, groups: set[str]) -> None:
    assert set(debian.run("id", "-nG", user).stdout.split()) == groups


def as_service(debian: FreshDebian, script: str) -> str:
    """What the service's user gets of it, complaints included."""
    done = debian.run("su", "-s", "/bin/sh", "edgecls", "-c", f"({script}) 2>&1")
    return done.stdout


def test_a_person_can_put_a_model_there_and_the_service_can_read_it(debian: FreshDebian) -> None:
    place = "/var/lib/edgecls/model.tflite"
    done = debian.run("su", "pi", "-c", f"echo model > {place} && stat -c %U {place}")
    assert done.stdout == "pi\n"
    assert as_service(debian, f"cat {place}") == "model\n"
    debian.run("rm", place)


@pytest.mark.fault(114)
def test_the_service_can_put_nothing_beside_the_model(debian: FreshDebian) -> None:
    said = as_service(debian, "ln -s /etc/evil /var/lib/edgecls/.model.tflite.before")
    assert "Permission denied" in said


# What a set-up made before, and a service that has been taken over put into it.
_EARLIER: Final = """
cd /var/lib/edgecls && rm -rf ./* .lock* && chown edgecls:edgecls . && chmod 2775 .
su -s /bin/sh edgecls -c '
  echo model > model.tflite; echo older > model.tflite.1; echo secret > view-token
  mkdir records && echo picture > records/1.jpg
  ln -s /etc/evil .model.tflite.before; ln -s /etc state; ln -s /etc/evil model.tflite.2
  sleep 60 3>> model.tflite & echo $! > records/pid'
"""


@pytest.mark.fault(115)
def test_a_folder_that_was_the_services_is_taken_from_it_and_nothing_is_lost(
    debian: FreshDebian,
) -> None:
    folder, before = debian.root / "var/lib/edgecls", (debian.root / "etc").stat()
    assert debian.run("sh", "-c", _EARLIER).returncode == 0
    done = debian.run("/checkout/devices/common/setup.sh", SUDO_USER="pi")
    assert done.returncode == 0, done.stderr
    found = debian.run("sh", "-c", "cd /var/lib/edgecls && stat -c '%n %A %U' . * state/* | sort")
    assert found.stdout.splitlines() == [
        ". drwxr-xr-x pi",
        "model.tflite -rw-r--r-- pi",
        "model.tflite.1 -rw-r--r-- pi",
        "state drwxr-s--- edgecls",
        "state/model.tflite.2 lrwxrwxrwx edgecls",
        "state/records drwxr-sr-x edgecls",
        "state/view-token -rw-r--r-- edgecls",
    ]
    assert (folder / "model.tflite").read_text() == "model\n"
    assert (folder / "state/records/1.jpg").read_text() == "picture\n"
    after = (debian.root / "etc").stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    assert "Permission denied" in as_service(debian, "echo evil >> /var/lib/edgecls/model.tflite")
    debian.run("sh", "-c", "rm -rf /var/lib/edgecls/*")


def test_sudo_takes_the_rule_for_the_service(debian: FreshDebian) -> None:
    done = debian.run("su", "pi", "-c", "sudo -n -l")
    assert "restart edgecls-camera.service" in done.stdout


def test_everybody_has_the_command_and_doctor_finds_an_engine(debian: FreshDebian) -> None:
    done = debian.run("su", "pi", "-c", "cd && edgecls doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "engine      litert" in done.stdout
    assert "the camera loop can run here" in done.stdout


def test_profiles_are_found_without_a_checkout(debian: FreshDebian) -> None:
    done = debian.run("su", "pi", "-c", "cd && edgecls doctor --profile raspberry-pi-5")
    assert "profile     raspberry-pi-5 (chosen)" in done.stdout
