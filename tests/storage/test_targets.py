"""What a command may write to: its own earlier output, and nothing else that is there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest

from edgecls.contract.tables import FRAME_COLUMNS, to_row
from edgecls.errors import TargetError
from edgecls.imaging.opencv import cv2
from edgecls.storage.guard import Input, Target, check_file, check_targets, open_stream
from edgecls.storage.kinds import PAGE_MARK, is_drawing, kind_of_folder, mark_drawing
from edgecls.storage.targets import (
    DATA_SET,
    DRAWING,
    EVENTS,
    EXPLAINED,
    FRAMES,
    GUESSES,
    MODEL,
    PAGE,
    QUARANTINE,
    RECORDING,
    RUNS,
    TOKEN,
    FileKind,
    FolderKind,
)
from tests.support.tiny_model import frame_of, write_tiny_model


def drawing() -> bytes:
    return mark_drawing(cv2.imencode(".png", frame_of(3))[1].tobytes())


def model_bytes(folder: Path) -> bytes:
    write_tiny_model(folder / "made.tflite")
    return (folder / "made.tflite").read_bytes()


OURS: list[tuple[FileKind, bytes]] = [
    (EVENTS, b'{"event": "prediction", "frame": 0}\n'),
    (EVENTS, b'{"event": "source", "state": "lost"}\n'),
    (EVENTS, b'{"even'),
    (FRAMES, to_row(FRAME_COLUMNS).encode()),
    (FRAMES, to_row(FRAME_COLUMNS).encode()[:9]),
    (GUESSES, b"file,error,label_1,score_1\ncat.jpg,,cat,0.9\n"),
    (PAGE, f"<!doctype html>\n<meta charset=utf-8>{PAGE_MARK}".encode()),
    (TOKEN, b"a" * 43 + b"\n"),
    (DRAWING, drawing()),
]


@pytest.mark.fault(105)
@pytest.mark.parametrize(("kind", "content"), OURS)
def test_what_edgecls_wrote_may_be_written_again(
    kind: FileKind, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "there"
    path.write_bytes(content)
    check_file(path, kind)


@pytest.mark.fault(105)
def test_the_log_of_another_program_is_no_log_of_ours(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"event": "user logged in", "level": "info"}\n')
    with pytest.raises(TargetError, match="which would be lost"):
        check_file(log, EVENTS)


def test_a_model_with_a_card_may_be_converted_anew(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(model_bytes(tmp_path))
    check_file(path, MODEL)


@pytest.mark.parametrize("kind", [EVENTS, FRAMES, GUESSES, PAGE, TOKEN, DRAWING, MODEL])
def test_nothing_is_lost_of_an_empty_file_or_none(kind: FileKind, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    check_file(empty, kind)
    check_file(tmp_path / "none", kind)


def test_a_marked_drawing_is_a_sound_png_and_a_photo_is_none() -> None:
    marked = drawing()
    assert is_drawing(marked)
    assert (cv2.imdecode(np.frombuffer(marked, np.uint8), cv2.IMREAD_COLOR) == frame_of(3)).all()
    assert not is_drawing(cv2.imencode(".png", frame_of(3))[1].tobytes())


@pytest.mark.fault(105)
def test_a_forgotten_name_is_told_with_the_whole_line(tmp_path: Path) -> None:
    photo = tmp_path / "p1.bmp"
    cv2.imwrite(str(photo), frame_of(3))
    with pytest.raises(
        TargetError, match=r"p1\.bmp' is there already and is a picture \(BMP\)"
    ) as e:
        check_file(photo, GUESSES, "--csv")
    assert e.value.hint == f"was a name forgotten? --csv labels.csv {photo}"


@pytest.mark.fault(105)
def test_two_outputs_are_never_one_file(tmp_path: Path) -> None:
    targets = [Target("--jsonl", tmp_path / "a", EVENTS), Target("--csv", tmp_path / "a", FRAMES)]
    with pytest.raises(TargetError, match="are the same place"):
        check_targets(targets)


@pytest.mark.fault(105)
@pytest.mark.parametrize("place", ["seen", "seen/below", "."], ids=["same", "inside", "around"])
def test_a_recording_lies_apart_from_what_is_played(place: str, tmp_path: Path) -> None:
    (tmp_path / "seen").mkdir()
    inputs = [Input("--source", tmp_path / "seen")]
    with pytest.raises(TargetError, match=r"which --source reads|is what --source reads"):
        check_targets([Target("--record", tmp_path / place, RECORDING)], inputs)


def test_a_block_device_is_never_a_table(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    try:
        os.mknod(disk, 0o060600, os.makedev(7, 250))  # a loop device that nobody uses
    except OSError:
        pytest.skip("only root may make a device")
    with pytest.raises(TargetError, match="a device, a pipe or a socket"):
        check_file(disk, EVENTS)


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TargetError, match="nobody reads"):
        open_stream(tmp_path / "pipe")


class TestFolders:
    @pytest.mark.parametrize(
        ("names", "kind"),
        [
            pytest.param({"cat/1.jpg": b"x"}, "data set", id="folders of pictures"),
            pytest.param({"train/cat/1.jpg": b"x"}, "data set", id="divided ones"),
            pytest.param({"1.jpg": b"x"}, "pictures", id="pictures in the folder itself"),
            pytest.param({"cat/photo": b"\xff\xd8\xff\xe0"}, "data set", id="by content"),
            pytest.param({"a.txt": b"x", "b/c.txt": b"x"}, "folder", id="texts"),
            pytest.param({"1/metrics.json": b"{}", "1/plot.png": b"x"}, "folder", id="runs"),
            pytest.param({"metrics.json": b"{}"}, "run", id="a run"),
            pytest.param({".trash/1.jpg": b"x"}, "folder", id="hidden ones"),
            pytest.param({"a.png": drawing()}, "folder", id="our own drawings"),
            pytest.param(
                {"cat/000000001-20261105T120000Z.jpg": b"x", "records.jsonl": b""},
                "recording",
                id="a recording whose first line a power cut has taken",
            ),
            pytest.param(
                {"cat/000000001-20261105T120000Z.jpg": b"x"}, "data set", id="copied out of one"
            ),
            pytest.param(
                {"records.jsonl": b'{"file": "a"}\n{"file": "b", "when": "collected"}\n'},
                "collection",
                id="one picture that a person labelled is enough",
            ),
            pytest.param(
                {"records.jsonl": b'{"file": "a", "bytes": 1, "sha256": "00"}\n'},
                "recording",
                id="a recording",
            ),
            pytest.param(
                {"records.jsonl": b'{"file": "a", "bytes": 1}\n'},
                "old recording",
                id="one of an earlier edgecls, without proof of what it wrote",
            ),
        ],
    )
    def test_what_a_folder_is(self, names: dict[str, bytes], kind: str, tmp_path: Path) -> None:
        for name, content in names.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        assert kind_of_folder(tmp_path) == kind

    @pytest.mark.parametrize("kind", [RECORDING, DATA_SET, RUNS, EXPLAINED, QUARANTINE])
    def test_a_folder_that_is_new_or_holds_no_pictures_is_fine(
        self, kind: FolderKind, tmp_path: Path
    ) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        check_targets([Target("--to", tmp_path, kind), Target("--and", tmp_path / "new", kind)])

    @pytest.mark.fault(105)
    @pytest.mark.parametrize(
        ("kind", "is_fine"),
        [(RECORDING, True), (DATA_SET, True), (RUNS, False), (EXPLAINED, False)],
    )
    def test_an_old_recording_may_be_gone_on_with(
        self, kind: FolderKind, is_fine: bool, tmp_path: Path
    ) -> None:
        (tmp_path / "records.jsonl").write_bytes(b'{"file": "a", "bytes": 1}\n')
        wanted = contextlib.nullcontext() if is_fine else pytest.raises(TargetError)
        with wanted:
            check_targets([Target("--to", tmp_path, kind)])

    @pytest.mark.fault(105)
    @pytest.mark.parametrize("kind", [RECORDING, RUNS, EXPLAINED, QUARANTINE])
    def test_nothing_is_put_below_a_collection(self, kind: FolderKind, tmp_path: Path) -> None:
        (tmp_path / ".labels.json").write_text("{}")
        with pytest.raises(TargetError, match="lies in a data set that was collected"):
            check_targets([Target("--to", tmp_path / "new" / "er", kind)])
