"""`edgecls deploy` against a real sshd: what reaches the board, what stays, and what is said."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgecls.deploy.board.work import explain
from tests.support.ssh_board import SshBoard, report_of
from tests.support.tiny_model import tiny_model_bytes

LOCK = ".lock-of-deploy"
Models = dict[str, Path]


class TestArrival:
    def test_a_model_is_proven_on_the_board_and_put_in_its_place(
        self, real_board: SshBoard, models: Models
    ) -> None:
        done = real_board.deploy("--model", models["first"], "--json")
        report = report_of(done)
        assert real_board.model.read_bytes() == models["first"].read_bytes()
        assert real_board.names() == [LOCK, "model.tflite"]
        assert real_board.model.stat().st_mode & 0o777 == 0o644
        assert report["board"] == real_board.host
        assert (report["state"], report["vectors"], report["previous"]) == ("deployed", 4, None)
        assert report["latency_ms"]["p50"] > 0
        steps = [line.removeprefix(f"{real_board.host}: ") for line in done.stderr.splitlines()]
        assert [steps[0], steps[-1]] == ["copied", "swapped in"]
        assert re.fullmatch(r"4 golden vectors reproduced on litert \S+", steps[1])

    def test_the_two_before_it_stay(self, board: SshBoard, models: Models) -> None:
        for name in ("first", "second", "third", "fourth"):
            report = report_of(board.deploy("--model", models[name], "--json"))
        assert report["kept"] == ["model.tflite.1", "model.tflite.2"]
        kept = {name: (board.models / name).read_bytes() for name in report["kept"]}
        assert kept == {
            "model.tflite.1": models["third"].read_bytes(),
            "model.tflite.2": models["second"].read_bytes(),
        }
        assert board.names() == [LOCK, "model.tflite", "model.tflite.1", "model.tflite.2"]

    def test_the_same_again_changes_nothing(self, board: SshBoard, models: Models) -> None:
        for name in ("first", "second"):
            board.deploy("--model", models[name])
        done = board.deploy("--model", models["second"])
        assert done.stdout == (
            f"{board.host} had this model already: {board.model}; kept: model.tflite.1\n"
        )
        assert (board.models / "model.tflite.1").read_bytes() == models["first"].read_bytes()

    def test_what_login_scripts_print_disturbs_nobody(
        self, board: SshBoard, models: Models
    ) -> None:
        (board.folder / "home/.bashrc").write_text("echo Welcome; echo to >&2\n")
        board.install("python3", f'#!/bin/sh\necho Hello\nexec {sys.executable} "$@"\n')
        assert report_of(board.deploy("--model", models["first"], "--json"))["kept"] == []

    def test_one_board_that_is_away_holds_up_no_other(
        self, board: SshBoard, models: Models
    ) -> None:
        away = f"nobody-at-all@{board.host.partition('@')[2]}"
        done = board.deploy(away, "--model", models["first"], "--json")
        first, second = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 1
        assert (first["board"], first["state"]) == (board.host, "deployed")
        assert second["board"] == away
        assert "Permission denied" in second["error"]


class TestRollback:
    def test_back_to_the_model_before_as_far_as_they_go(
        self, board: SshBoard, models: Models
    ) -> None:
        for name in ("first", "second", "third"):
            board.deploy("--model", models[name])
        states = []
        for name in ("second", "first"):
            states.append(report_of(board.deploy("--rollback", "--json"))["state"])
            assert board.model.read_bytes() == models[name].read_bytes()
        assert states == ["rolled back", "rolled back"]
        assert (board.models / "model.tflite.undone").read_bytes() == models["second"].read_bytes()
        done = board.deploy("--rollback")
        assert (done.returncode, done.stderr) == (
            1,
            f"error: no earlier model is kept in {board.models} on the board\n",
        )

    def test_the_earlier_model_must_prove_itself_again(
        self, board: SshBoard, models: Models
    ) -> None:
        for name in ("first", "second"):
            board.deploy("--model", models[name])
        (board.bin / "refusal").write_text("echo 'error: the engine is another' >&2; exit 1\n")
        assert board.deploy("--rollback").returncode == 1
        assert board.model.read_bytes() == models["second"].read_bytes()
        assert board.names() == [LOCK, "model.tflite", "model.tflite.1"]


class TestRefusal:
    """The board keeps what it has, and everybody hears why."""

    def check_kept(self, board: SshBoard, models: Models, *arguments: object) -> str:
        board.deploy("--model", models["first"])
        done = board.deploy(*arguments)
        assert done.returncode == 1
        assert done.stdout == ""
        assert board.model.read_bytes() == models["first"].read_bytes()
        assert board.names() == [LOCK, "model.tflite"]
        return done.stderr[done.stderr.index("error: ") :]

    def test_a_damaged_model_never_leaves(
        self, board: SshBoard, models: Models, tmp_path: Path
    ) -> None:
        damaged = tmp_path / "damaged.tflite"
        damaged.write_bytes(models["second"].read_bytes()[:-100])
        said = self.check_kept(board, models, "--model", damaged)
        assert said.startswith(f"error: '{damaged}' cannot be used: ")
        assert (board.bin / "calls").read_text().count("verify") == 1

    def test_a_model_that_the_board_cannot_prove(
        self, board: SshBoard, models: Models, tmp_path: Path
    ) -> None:
        stranger = tmp_path / "stranger.tflite"
        stranger.write_bytes(tiny_model_bytes())
        said = self.check_kept(board, models, "--model", stranger)
        assert said == (
            f"error: '{stranger}' carries no golden vectors, so the board cannot prove it\n"
            "  hint: models made by 'edgecls convert' do; --no-verify sends it all the same\n"
        )
        assert board.deploy("--model", stranger, "--no-verify").returncode == 0
        assert board.model.read_bytes() == stranger.read_bytes()

    def test_the_self_test_fails_on_the_board(self, board: SshBoard, models: Models) -> None:
        board.deploy("--model", models["first"])
        refusal = "echo 'error: the engine computes otherwise: by 9' >&2; echo '  hint: update' >&2"
        (board.bin / "refusal").write_text(f"{refusal}; exit 1\n")
        done = board.deploy("--model", models["second"])
        assert done.stderr.splitlines()[1:] == [
            "error: the board refuses it: the engine computes otherwise: by 9",
            "  hint: update",
        ]
        assert board.model.read_bytes() == models["first"].read_bytes()
        assert board.names() == [LOCK, "model.tflite"]

    def test_the_self_test_dies_on_the_board(self, board: SshBoard, models: Models) -> None:
        (board.bin / "refusal").write_text("kill -SEGV $$\n")
        done = board.deploy("--model", models["first"])
        assert "error: 'edgecls verify' failed on the board (-11): " in done.stderr
        assert board.names() == [LOCK]

    def test_an_old_edgecls_that_answers_otherwise(self, board: SshBoard, models: Models) -> None:
        board.install("edgecls", "#!/bin/sh\necho all right\n")
        done = board.deploy("--model", models["first"])
        assert "error: 'edgecls verify' gave no answer on the board\n" in done.stderr

    def test_there_is_no_edgecls(self, board: SshBoard, models: Models) -> None:
        (board.bin / "edgecls").unlink()
        done = board.deploy("--model", models["first"])
        assert done.stderr == (
            "error: edgecls is not installed on the board\n"
            "  hint: run setup.sh there (see devices/), or say with --edgecls where it is\n"
        )
        done = board.deploy("--model", models["first"], "--edgecls", "/opt/none")
        assert done.stderr.startswith("error: there is no program '/opt/none' on the board\n")

    def test_another_deployment_is_at_work(self, board: SshBoard, models: Models) -> None:
        board.deploy("--model", models["first"])
        with (board.models / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = board.deploy("--model", models["second"])
        assert done.stderr == (
            f"error: another deployment into {board.models} is at work on the board\n"
            "  hint: wait until it is done\n"
        )

    def test_a_folder_that_cannot_be_written_to(self, board: SshBoard, models: Models) -> None:
        done = board.deploy("--model", models["first"], "--path", "/proc/1")
        assert done.stderr.startswith("error: the folder /proc/1 on the board cannot be written to")

    def test_the_board_has_no_room(self, board: SshBoard, models: Models) -> None:
        board.install("python3", f'#!/bin/sh\nulimit -f 1\nexec {sys.executable} "$@"\n')
        done = board.deploy("--model", models["first"])
        assert done.stderr == "error: the model cannot be written on the board: File too large\n"
        assert board.names() == [LOCK]

    @pytest.mark.parametrize(
        ("machine", "hint"),
        [
            ("armv7l", "its 32-bit system has another engine: use a 64-bit one"),
            ("aarch64", "update it, or convert the model again"),
        ],
    )
    def test_a_32_bit_engine_that_computes_otherwise_is_named(
        self, machine: str, hint: str
    ) -> None:
        said = (
            "error: the engine computes otherwise: golden vector 0 comes out 60 steps away\n"
            "  hint: this engine computes something else: update it, or convert the model again\n"
        )
        refusal = explain("'edgecls verify'", 1, said, machine)
        assert hint in refusal.hint


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["-oProxyCommand=x"], "No such option", id="an option of ssh"),
        pytest.param(["--", "-oProxyCommand=x"], "is no board that ssh can reach", id="behind --"),
        pytest.param(["a b"], "'a b' is no board that ssh can reach", id="two words"),
        pytest.param(["pi@board", "--port", "0"], "port 0 is none", id="no port"),
        pytest.param(["pi@board", "--identity", "/none"], "there is no key file", id="no key"),
        pytest.param(["pi@b", "--service", "--unit", "-x"], "'-x' is no unit", id="no unit"),
    ],
)
def test_what_cannot_be_meant(arguments: list[str], told: str, models: Models) -> None:
    words = ["deploy", "--model", str(models["first"]), *arguments]
    done = subprocess.run(
        [sys.executable, "-m", "edgecls", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode in (1, 2)
    assert told in done.stderr
