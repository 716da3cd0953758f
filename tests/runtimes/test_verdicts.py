"""Good verdicts of the probe are remembered; nothing that lies in the folder can spoil that."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from edgecls.contract.modelfile import ModelFile, parse_model_file
from edgecls.errors import EngineError
from edgecls.runtimes import installed_runtimes
from edgecls.runtimes.gate import admit
from edgecls.runtimes.verdicts import MOST_VERDICTS, Verdicts, default_verdicts, key_of
from tests.support.other_user import UID, as_other, give, shared_place
from tests.support.tiny_model import TinyModel, tiny_model_bytes, with_custom_operator

__all__ = ["shared_place"]

needs_engine = pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed")


def tiny(classes: int = 4) -> ModelFile:
    """A sound model."""
    return parse_model_file(tiny_model_bytes((6, 6), "GRAY", classes), "tiny.tflite")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Not there yet."""
    return tmp_path / "cache" / "verdicts"


def test_what_was_added_is_known_to_the_next_process(folder: Path) -> None:
    Verdicts(folder).add("a-litert-1")
    assert Verdicts(folder).has("a-litert-1")
    assert not Verdicts(folder).has("b-litert-1")


def test_only_its_owner_can_look_into_the_folder(folder: Path) -> None:
    Verdicts(folder).add("a")
    assert folder.stat().st_mode & 0o777 == 0o700


def spoil_empty(path: Path) -> None:
    path.write_bytes(b"")


def spoil_other(path: Path) -> None:
    path.write_bytes(b"sound\n")


def spoil_longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"and more")


def spoil_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def spoil_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def spoil_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize(
    "spoil",
    [spoil_empty, spoil_other, spoil_longer, spoil_folder, spoil_pipe, spoil_link],
    ids=lambda spoil: spoil.__name__.removeprefix("spoil_"),
)
def test_what_else_lies_under_its_name_is_no_verdict(folder: Path, spoil: object) -> None:
    Verdicts(folder).add("a")
    spoil(folder / "a")  # type: ignore[operator]
    assert not Verdicts(folder).has("a")
    Verdicts(folder).add("a")  # without an error


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null/folder"])
def test_a_folder_that_cannot_be_made_leaves_the_memory(place: str) -> None:
    verdicts = Verdicts(Path(place))
    verdicts.add("a")
    assert verdicts.has("a")
    assert not Verdicts(Path(place)).has("a")


@pytest.mark.fault(125)
@pytest.mark.parametrize("mode", [0o755, 0o777, 0o1777])
def test_a_folder_of_another_user_says_nothing_and_gets_nothing(
    shared_place: Path, mode: int
) -> None:
    folder = give(shared_place / "verdicts", mode)
    as_other("echo a > a", folder)
    assert not Verdicts(folder).has("a")
    Verdicts(folder).add("b")
    assert os.listdir(folder) == ["a"]


@pytest.mark.fault(125)
def test_in_a_folder_of_ours_a_file_of_another_user_is_no_verdict(shared_place: Path) -> None:
    (shared_place / "a").write_text("a\n")
    os.chown(shared_place / "a", UID, UID)
    assert not Verdicts(shared_place).has("a")


@pytest.mark.fault(125)
def test_a_link_in_the_place_of_the_folder_makes_no_room_elsewhere(
    folder: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(MOST_VERDICTS + 3):
        (photos / f"{number}.jpg").touch()
    folder.parent.mkdir()
    folder.symlink_to(photos)
    Verdicts(folder).add("a")
    assert len(os.listdir(photos)) == MOST_VERDICTS + 3


def test_without_a_folder_it_is_remembered_in_memory() -> None:
    verdicts = Verdicts(None)
    verdicts.add("a")
    assert verdicts.has("a")


def test_the_oldest_make_room_so_that_the_folder_stays_small(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(MOST_VERDICTS + 3):
        path = folder / f"old{number}"
        path.write_text(f"old{number}\n")
        os.utime(path, (number, number))
    Verdicts(folder).add("new")
    assert len(list(folder.iterdir())) == MOST_VERDICTS
    assert Verdicts(folder).has("new")
    assert not Verdicts(folder).has("old0")
    assert Verdicts(folder).has(f"old{MOST_VERDICTS}")


def test_many_writers_at_once_leave_whole_verdicts_only(folder: Path) -> None:
    def write(number: int) -> None:
        for each in range(50):
            Verdicts(folder).add(f"{(number + each) % 20}")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(path.name for path in folder.iterdir()) == sorted(map(str, range(20)))
    assert all(Verdicts(folder).has(str(number)) for number in range(20))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"EDGECLS_CACHE": "/a"}, "/a/verdicts", id="named"),
        pytest.param(
            {"CACHE_DIRECTORY": "/var/cache/edgecls:/b"},
            "/var/cache/edgecls/verdicts",
            id="systemd",
        ),
        pytest.param({"XDG_CACHE_HOME": "/x"}, "/x/edgecls/verdicts", id="desktop"),
        pytest.param({"HOME": "/home/me"}, "/home/me/.cache/edgecls/verdicts", id="home"),
    ],
)
def test_where_verdicts_are(
    settings: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EDGECLS_CACHE", "CACHE_DIRECTORY", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert default_verdicts().folder == Path(expected)


def test_a_verdict_is_about_these_bytes_on_this_engine() -> None:
    keys = {
        key_of(tiny(4), "litert", "2.3.0"),
        key_of(tiny(5), "litert", "2.3.0"),
        key_of(tiny(4), "litert", "2.3.1"),
        key_of(tiny(4), "tflite_runtime", "2.3.0"),
    }
    assert len(keys) == 4
    assert key_of(tiny(4), "litert", "../../etc").count("/") == 0


@needs_engine
class TestGate:
    def test_a_model_that_ran_is_remembered(self, folder: Path) -> None:
        admit(tiny(), installed_runtimes()[0], "1", Verdicts(folder))
        assert Verdicts(folder).has(key_of(tiny(), installed_runtimes()[0], "1"))

    def test_one_that_is_remembered_needs_no_engine_to_pass(self, folder: Path) -> None:
        Verdicts(folder).add(key_of(tiny(), "no such engine", "1"))
        admit(tiny(), "no such engine", "1", Verdicts(folder))

    def test_one_that_did_not_is_refused_and_tried_again_next_time(self, folder: Path) -> None:
        content = with_custom_operator(TinyModel((4, 4), classes=3), "some-npu")
        model = parse_model_file(content, "npu.tflite")
        for _ in range(2):
            with pytest.raises(EngineError, match=r"cannot run 'npu\.tflite': .*some-npu"):
                admit(model, installed_runtimes()[0], "1", Verdicts(folder))
        assert not folder.exists()
