"""The models' folder on the board, and another user of it who would like to be its deployer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from edgecls.deploy.board.folder import Folder
from edgecls.deploy.board.shelf import Shelf
from edgecls.deploy.board.telling import Refusal
from tests.support.other_user import UID, as_other, give, shared_place
from tests.support.ssh_board import SshBoard

__all__ = ["shared_place"]

Models = dict[str, Path]
MODES = [
    pytest.param(0o2775, id="with its group, as an earlier set-up made it"),
    pytest.param(0o755, id="alone"),
]


class TestTakenOver:
    """The service's user, or whoever has taken it over, against root who deploys."""

    @pytest.mark.fault(114)
    @pytest.mark.parametrize("mode", MODES)
    def test_a_planted_link_leads_nowhere(
        self, board: SshBoard, models: Models, shared_place: Path, mode: int
    ) -> None:
        folder, secret = give(shared_place / "models", mode), shared_place / "evil"
        as_other(f"echo evil > model.tflite; ln -s {secret} .model.tflite.before", folder)
        done = board.deploy("--model", models["first"], "--path", folder)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {folder} on the board belongs to {UID}, who could")
        assert not secret.exists()
        assert (folder / "model.tflite").read_text() == "evil\n"

    @pytest.mark.fault(114)
    def test_the_hints_can_be_followed_to_the_end(
        self, board: SshBoard, models: Models, shared_place: Path
    ) -> None:
        folder, secret = give(shared_place / "models", 0o2775), shared_place / "evil"
        as_other(f"echo evil > model.tflite; ln -s {secret} .model.tflite.before", folder)
        for told in ("belongs to", "is not used: Too many levels", "is not used: it belongs to"):
            done = board.deploy("--model", models["first"], "--path", folder)
            assert told in done.stderr
            hint = done.stderr.partition("hint: ")[2].partition(": ")[2].partition(";")[0]
            subprocess.run(["sh", "-c", hint.strip()], check=True)
        assert board.deploy("--model", models["first"], "--path", folder).returncode == 0
        assert (folder / "model.tflite").read_bytes() == models["first"].read_bytes()
        assert not secret.exists()

    @pytest.mark.fault(114)
    @pytest.mark.parametrize(
        "place",
        [
            pytest.param("theirs/models", id="the folder above it"),
            pytest.param("theirs/deep/models", id="one further above"),
            pytest.param("theirs/new", id="one in which it would be made"),
            pytest.param("shared/link", id="a link of theirs in a folder like /tmp"),
            pytest.param("shared/link/..", id="a way that goes through one"),
            pytest.param("open", id="one that everybody may write to"),
            pytest.param("sticky", id="and be it one like /tmp"),
            pytest.param("of-a-group", id="one that a group may write to"),
        ],
    )
    def test_a_way_on_which_others_can_put_something_is_not_gone(
        self, shared_place: Path, place: str
    ) -> None:
        theirs = give(shared_place / "theirs", 0o755)
        for folder in (theirs / "models", theirs / "deep/models", shared_place / "safe"):
            folder.mkdir(parents=True)
        for name, mode in {"shared": 0o1777, "open": 0o777, "sticky": 0o1777}.items():
            (shared_place / name).mkdir()
            (shared_place / name).chmod(mode)
        (shared_place / "of-a-group").mkdir()
        (shared_place / "of-a-group").chmod(0o775)
        as_other(f"ln -s {shared_place}/safe link", shared_place / "shared")
        with pytest.raises(Refusal, match=r"could lead the model elsewhere|on the way belongs to"):
            Folder.open(shared_place / place)

    @pytest.mark.parametrize(
        "place",
        [
            pytest.param("own/models", id="through root's own folders"),
            pytest.param("link/models", id="through root's own link"),
            pytest.param("own/../own/models", id="up and down"),
            pytest.param("shared/own", id="through a folder like /tmp to root's own"),
            pytest.param("own/new/deep", id="to one that is made"),
        ],
    )
    def test_a_way_on_which_only_root_can_is_gone(self, shared_place: Path, place: str) -> None:
        (shared_place / "own/models").mkdir(parents=True)
        (shared_place / "link").symlink_to("own")
        (shared_place / "shared/own").mkdir(parents=True)
        (shared_place / "shared").chmod(0o1777)
        folder = Folder.open(shared_place / place)
        assert os.fstat(folder.handle).st_ino == (shared_place / place).stat().st_ino
        assert folder.path == (shared_place / place).resolve()
        folder.close()

    def test_a_new_folder_is_for_its_owner_to_write_to(self, shared_place: Path) -> None:
        Folder.open(shared_place / "new").close()
        assert "Permission denied" in as_other("touch x", shared_place / "new").stderr

    @pytest.mark.fault(116)
    def test_nobody_else_can_hold_the_lock_for_ever(self, shared_place: Path) -> None:
        with Shelf(Folder.open(shared_place)).locked():
            said = as_other("flock --nonblock .lock-of-deploy true", shared_place).stderr
        assert "Permission denied" in said


# Beside the real one, in a file system that only this process sees.
_EARLIER: Final = f"""
mount -t tmpfs tmpfs /var/lib && install -d -m 2775 -o {UID} -g {UID} /var/lib/edgecls || exit 9
exec "$0" -c '
from pathlib import Path
from edgecls.deploy.board.folder import DEFAULT, Folder
from edgecls.deploy.board.telling import Refusal
try:
    Folder.open(Path(DEFAULT))
except Refusal as refusal:
    print(refusal.problem)
    print(refusal.hint)
'
"""


@pytest.mark.fault(114)
@pytest.mark.usefixtures("shared_place")  # as root alone
def test_the_folder_of_an_earlier_set_up_is_refused_with_the_command_that_mends_it() -> None:
    words = ["unshare", "--mount", "sh", "-c", _EARLIER, sys.executable]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system of its own: {done.stderr}")
    assert done.stdout.splitlines() == [
        f"/var/lib/edgecls on the board belongs to {UID}, who could lead the model elsewhere",
        "an earlier edgecls set it up so. Run there, in a checkout of this version:"
        " devices/common/setup.sh",
    ]


def make_link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def make_pipe(path: Path, _secret: Path) -> None:
    os.mkfifo(path)


def make_second_name(path: Path, secret: Path) -> None:
    path.hardlink_to(secret)


def make_folder(path: Path, _secret: Path) -> None:
    path.mkdir()


@pytest.mark.fault(116)
@pytest.mark.parametrize(
    "name", ["model.tflite", ".model.tflite.before", "model.tflite.1", ".lock-of-deploy"]
)
@pytest.mark.parametrize("make", [make_link, make_pipe, make_second_name, make_folder])
def test_what_is_no_plain_file_is_named_and_left_alone(
    board: SshBoard,
    models: Models,
    tmp_path: Path,
    name: str,
    make: Callable[[Path, Path], None],
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    board.deploy("--model", models["first"])
    board.deploy("--model", models["second"])
    (board.models / name).unlink(missing_ok=True)
    make(board.models / name, secret)
    done = board.deploy("--rollback", "--no-verify")
    assert done.returncode == 1
    assert f"error: {board.models / name} on the board is not used: " in done.stderr
    assert f"hint: look at it there, then remove it: rm -r {board.models / name}\n" in done.stderr
    assert secret.read_text() == "secret"
    assert b"secret" not in b"".join(
        path.read_bytes() for path in board.models.iterdir() if path.is_file() and path.name != name
    )


def test_a_link_that_leads_to_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(Refusal, match="is a link that leads to itself"):
        Folder.open(tmp_path / "link")


def test_a_home_that_is_nobodys_is_told(board: SshBoard, models: Models) -> None:
    done = board.deploy("--model", models["first"], "--path", "~nobody-at-all/models")
    assert done.stderr.startswith("error: '~nobody-at-all/models' is the home of nobody")
