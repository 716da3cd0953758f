"""The board's part by itself: the folder with its models, what arrives, and the service."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecls.deploy import Place, Proven, deploy, prove
from edgecls.deploy.board.folder import Folder
from edgecls.deploy.board.shelf import Shelf
from edgecls.deploy.board.telling import Refusal
from edgecls.deploy.board.unit import Unit
from edgecls.deploy.board.work import receive
from edgecls.deploy.target import Target
from edgecls.errors import DeployError
from tests.support.ssh_board import SshBoard

Models = dict[str, Path]
Deploy = Callable[[str], dict[str, Any]]


def write_all(folder: Path, **contents: str) -> None:
    for name, content in contents.items():
        (folder / NAMES[name]).write_text(content)


def read_all(folder: Path) -> dict[str, str]:
    paths = {short: folder / name for short, name in NAMES.items()}
    return {short: path.read_text() for short, path in paths.items() if path.exists()}


NAMES = {
    "model": "model.tflite",
    "first": "model.tflite.1",
    "second": "model.tflite.2",
    "before": ".model.tflite.before",
    "undone": "model.tflite.undone",
}


class TestShelf:
    def swap(self, folder: Path) -> Shelf:
        opened = Folder.open(folder)
        shelf = Shelf(opened)
        with opened.temporary() as place:
            (place.path / "model.tflite").write_text("new")
            shelf.swap(place)
        return shelf

    def test_the_old_model_waits_until_the_new_one_has_proved_itself(self, tmp_path: Path) -> None:
        write_all(tmp_path, model="a", first="b", second="c")
        shelf = self.swap(tmp_path)
        assert read_all(tmp_path) == {"model": "new", "first": "b", "second": "c", "before": "a"}
        shelf.settle()
        assert read_all(tmp_path) == {"model": "new", "first": "a", "second": "b"}

    def test_swapped_back_all_is_as_before(self, tmp_path: Path) -> None:
        write_all(tmp_path, model="a", first="b", second="c")
        self.swap(tmp_path).swap_back()
        assert read_all(tmp_path) == {"model": "a", "first": "b", "second": "c"}

    def test_swapped_back_where_there_was_none_there_is_none(self, tmp_path: Path) -> None:
        self.swap(tmp_path).swap_back()
        assert read_all(tmp_path) == {}

    def test_back_to_the_model_before_keeps_the_newer_one_aside(self, tmp_path: Path) -> None:
        write_all(tmp_path, model="a", first="b", second="c")
        self.swap(tmp_path).settle_back()
        assert read_all(tmp_path) == {"model": "new", "first": "c", "undone": "a"}

    @pytest.mark.parametrize(
        ("left", "ordered"),
        [
            pytest.param(
                {"model": "new", "before": "a", "first": "b"},
                {"model": "new", "first": "a", "second": "b"},
                id="after the swap",
            ),
            pytest.param(
                {"model": "a", "before": "a", "first": "b"},
                {"model": "a", "first": "b"},
                id="before the swap",
            ),
        ],
    )
    def test_what_a_power_cut_leaves_is_put_in_order(
        self, tmp_path: Path, left: dict[str, str], ordered: dict[str, str]
    ) -> None:
        write_all(tmp_path, **left)
        (tmp_path / ".deploy-x7").mkdir()
        (tmp_path / ".deploy-x7/model.tflite").write_text("half")
        with Shelf(Folder.open(tmp_path)).locked():
            assert read_all(tmp_path) == ordered
            assert not (tmp_path / ".deploy-x7").exists()

    def test_only_one_at_a_time(self, tmp_path: Path) -> None:
        first, second = Shelf(Folder.open(tmp_path)), Shelf(Folder.open(tmp_path))
        with first.locked(), pytest.raises(Refusal, match="another deployment"):
            second.locked().__enter__()
        with second.locked():
            assert read_all(tmp_path) == {}

    def test_a_folder_is_made_if_it_can_be(self, tmp_path: Path) -> None:
        Folder.open(tmp_path / "new/deep").close()
        assert (tmp_path / "new/deep").is_dir()


def test_a_board_that_refuses_at_once_is_heard_in_the_middle_of_a_large_model(
    board: SshBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", board.environment["PATH"])
    (board.bin / "edgecls").unlink()
    with pytest.raises(DeployError, match="edgecls is not installed on the board"):
        deploy(Target(board.host, board.port), Proven(bytes(20 << 20)), Place(str(board.models)))


class TestReceive:
    def order(self, content: bytes, **more: Any) -> dict[str, Any]:
        return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), **more}

    def test_all_bytes_and_no_more(self, tmp_path: Path) -> None:
        stream = io.BytesIO(b"model and more")
        receive(self.order(b"model"), stream, Folder.open(tmp_path))
        assert (tmp_path / "model.tflite").read_bytes() == b"model"

    @pytest.mark.parametrize("content", [b"mode", b"mOdel"], ids=["cut off", "changed"])
    def test_what_does_not_arrive_whole_is_refused(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(Refusal, match="did not arrive whole"):
            receive(self.order(b"model"), io.BytesIO(content), Folder.open(tmp_path))

    def test_what_has_no_room_is_refused_before_it_is_read(self, tmp_path: Path) -> None:
        stream = io.BytesIO(b"model")
        order = self.order(b"model") | {"bytes": 10**15}
        with pytest.raises(Refusal, match=r"disk is full: .* free at .*, and 1000000016\.8 MB"):
            receive(order, stream, Folder.open(tmp_path))
        assert stream.tell() == 0


class TestService:
    @pytest.fixture
    def bring(self, serving: SshBoard, models: Models, monkeypatch: pytest.MonkeyPatch) -> Deploy:
        """Deploys a model with the board's service, which must run on for 0.6 s."""
        monkeypatch.setenv("PATH", serving.environment["PATH"])
        place = Place(str(serving.models), unit="edgecls-camera.service", prove_s=0.6)
        target = Target(serving.host, serving.port)
        return lambda name: deploy(target, prove(models[name]), place)

    def starts(self, board: SshBoard) -> int:
        return int(json.loads((board.bin / "unit.json").read_text())["starts"])

    def test_it_is_restarted_and_says_how_it_is(self, serving: SshBoard, bring: Deploy) -> None:
        report = bring("first")
        assert report["service"]["status"] == "level 3 (90%)"
        assert report["service"]["seconds"] < 60
        assert self.starts(serving) == 1

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            pytest.param("failing", "the model has no label 'cat'", id="it does not start"),
            pytest.param(
                "crashing", "it ended within its first seconds", id="it dies a little later"
            ),
        ],
    )
    def test_one_that_does_not_run_with_the_new_model_runs_with_the_old_one(
        self, serving: SshBoard, bring: Deploy, models: Models, name: str, reason: str
    ) -> None:
        bring("first")
        bring("second")
        with pytest.raises(DeployError) as refused:
            bring(name)
        assert refused.value.problem == (
            f"edgecls-camera.service does not run: {reason}; the old model is back (level 3 (90%))"
        )
        assert serving.model.read_bytes() == models["second"].read_bytes()
        kept = (serving.models / "model.tflite.1").read_bytes()
        assert kept == models["first"].read_bytes()
        assert not (serving.models / "model.tflite.2").exists()
        assert self.starts(serving) == 4

    def test_a_first_model_that_fails_is_taken_away(self, serving: SshBoard, bring: Deploy) -> None:
        with pytest.raises(DeployError, match="had no model before, and has none now"):
            bring("failing")
        assert not serving.model.exists()

    def test_the_same_model_again_only_sees_that_it_runs(
        self, serving: SshBoard, bring: Deploy
    ) -> None:
        bring("first")
        assert bring("first")["state"] == "unchanged"
        assert self.starts(serving) == 2

    def test_a_board_without_it(self, serving: SshBoard, bring: Deploy) -> None:
        serving.install("systemctl", "#!/bin/sh\necho LoadState=not-found\n")
        with pytest.raises(DeployError, match=r"the board has no edgecls-camera\.service"):
            bring("first")
        assert serving.names() == []  # found out before the model was sent

    def test_a_user_who_may_not_start_it(
        self, serving: SshBoard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        serving.install("sudo", "#!/bin/sh\nexit 1\n")
        monkeypatch.setenv("PATH", f"{serving.bin}:{os.environ['PATH']}")
        with pytest.raises(Refusal, match=r"may not start edgecls-camera\.service") as refused:
            Unit("edgecls-camera.service", 0.1, is_root=False)
        assert refused.value.hint.startswith("let the user into the group edgecls")

    def test_a_user_who_may_needs_no_password(
        self, serving: SshBoard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = serving.folder / "asked"
        serving.install(
            "sudo",
            f'#!/bin/sh\nprintf \'%s\\n\' "$*" >> {asked}\nshift; [ "$1" = -l ] || exec "$@"\n',
        )
        monkeypatch.setenv("PATH", f"{serving.bin}:{os.environ['PATH']}")
        assert Unit("edgecls-camera.service", 0.1, is_root=False).restart()["status"]
        unit = "edgecls-camera.service"
        assert asked.read_text().splitlines() == [
            *(f"-n -l systemctl {verb} {unit}" for verb in ("start", "stop")),
            *(f"-n systemctl {verb} {unit}" for verb in ("stop", "start")),
        ]

    def test_a_model_for_the_edge_tpu_is_tried_while_the_service_does_not_hold_it(
        self, serving: SshBoard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Seen by an `edgecls` that says how the service is, and fails."""
        serving.install(
            "edgecls",
            "#!/bin/sh\nunit=$(dirname $0)/unit.json\n"
            "echo error: $(grep -o 'ActiveState.............' $unit) >&2; exit 1\n",
        )
        monkeypatch.setenv("PATH", serving.environment["PATH"])
        place = Place(str(serving.models), unit="edgecls-camera.service", prove_s=0.1)
        model = Proven(b"... edgetpu-custom-op ...")
        with pytest.raises(DeployError, match=r"ActiveState.: .inactive"):
            deploy(Target(serving.host, serving.port), model, place)
        assert self.starts(serving) == 1

    def test_a_model_for_the_edge_tpu_that_it_does_not_run_with_is_told_as_any_other(
        self, serving: SshBoard, models: Models, bring: Deploy
    ) -> None:
        bring("first")
        place = Place(str(serving.models), unit="edgecls-camera.service", prove_s=0.1)
        model = Proven(b"... edgetpu-custom-op ... failing ...")
        with pytest.raises(DeployError, match="has no label 'cat'; the old model is back"):
            deploy(Target(serving.host, serving.port), model, place)
        assert serving.model.read_bytes() == models["first"].read_bytes()
