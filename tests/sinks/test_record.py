"""Pictures for a later training: the right ones, as the camera sent them, each only once."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.contract.events import UNKNOWN
from edgecls.errors import InvalidValueError, SinkError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import decode
from edgecls.imaging.opencv import cv2
from edgecls.imaging.view import Region, View
from edgecls.pictures.folder import FolderPictures
from edgecls.sinks.diversity import Diversity, to_thumbnail
from edgecls.sinks.record import RecordSettings, RecordSink, encode_jpeg, to_jpeg
from tests.support.frames import change, frame, jpeg_of, prediction, scene


def open_sink(folder: Path, **settings: Any) -> RecordSink:
    return RecordSink(folder, RecordSettings(min_free_bytes=0, **settings))


def kept(folder: Path) -> list[int]:
    """Numbers of the frames that were kept, in their order."""
    lines = (folder / "records.jsonl").read_text().splitlines()
    return [json.loads(line)["frame"] for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "records"


class TestWhen:
    def test_uncertain_is_unknown_or_below_a_score(self, folder: Path) -> None:
        sink = open_sink(folder, when="uncertain", below=0.6)
        sink.handle(prediction(0, "cat", 0.9), frame(0))
        sink.handle(prediction(1, "cat", 0.59), frame(1))
        sink.handle(prediction(2, UNKNOWN, 0.9), frame(2))
        sink.handle(prediction(3, "cat", 0.6), frame(3))
        assert kept(folder) == [1, 2]

    def test_changed_is_the_frame_at_which_the_steady_label_changed(self, folder: Path) -> None:
        sink = open_sink(folder, when="changed")
        for number in range(4):
            sink.handle(prediction(number, UNKNOWN, 0.1), frame(number))
            if number == 2:
                sink.handle(change(number, "dog", "cat"), frame(number))
        assert kept(folder) == [2]
        assert len(list((folder / "dog").iterdir())) == 1

    def test_every_begins_with_the_first(self, folder: Path) -> None:
        sink = open_sink(folder, when="every", every=3)
        for number in range(8):
            sink.handle(prediction(number), frame(number))
        assert kept(folder) == [0, 3, 6]

    def test_pictures_of_a_folder_keep_their_own_name_beside_the_new_one(
        self, folder: Path
    ) -> None:
        sink = open_sink(folder, when="all")
        played = dataclasses.replace(prediction(0, "cat", 0.5), name="photos/7.png")
        sink.handle(played, frame(0))
        line = json.loads((folder / "records.jsonl").read_text())
        assert line["source_file"] == "photos/7.png"
        assert (folder / line["file"]).is_file()

    def test_all_keeps_even_what_looks_the_same(self, folder: Path) -> None:
        sink = open_sink(folder, when="all")
        for number in range(3):
            sink.handle(prediction(number), frame(0))
        assert kept(folder) == [0, 1, 2]

    @pytest.mark.parametrize(
        ("settings", "problem"),
        [
            ({"when": "sometimes"}, "recording when 'sometimes' is unknown"),
            ({"every": 0}, "recording every 0 frames"),
            ({"below": 1.5}, r"uncertain is below 1\.5"),
            ({"below": float("nan")}, "uncertain is below nan"),
            ({"quota_bytes": -1}, "quota_bytes is -1"),
        ],
        ids=str,
    )
    def test_nonsense_is_refused(self, settings: dict[str, Any], problem: str) -> None:
        with pytest.raises(InvalidValueError, match=problem):
            RecordSettings(**settings)


class TestPictures:
    def test_the_jpeg_of_the_camera_is_kept_byte_for_byte(self, folder: Path) -> None:
        sent = frame(1, is_jpeg=True)
        open_sink(folder, when="all").handle(prediction(1), sent)
        (path,) = (folder / "cat").iterdir()
        assert path.read_bytes() == sent.jpeg

    def test_pixels_become_a_jpeg_that_shows_the_same(self, folder: Path) -> None:
        open_sink(folder, when="all").handle(prediction(1), frame(1))
        (path,) = (folder / "cat").iterdir()
        difference = np.abs(decode(path.read_bytes()).astype(int) - scene(1))
        assert difference.mean() < 2.0  # of 255, at quality 95

    @pytest.mark.parametrize(
        ("view", "shown"),
        [
            pytest.param(View(rotate=180), lambda p: p[::-1, ::-1], id="turned"),
            pytest.param(View(flip="horizontal"), lambda p: p[:, ::-1], id="mirrored"),
            pytest.param(
                View(region=Region(0, 0, 0.5, 0.5, is_share=True)),
                lambda p: p[: p.shape[0] // 2, : p.shape[1] // 2],
                id="cut",
            ),
        ],
    )
    def test_what_the_model_looked_at_is_kept_and_nothing_else(
        self, view: View, shown: Any
    ) -> None:
        sent = frame(1, is_jpeg=True)
        looked_at = dataclasses.replace(sent, pixels=np.zeros((8, 8, 3), np.uint8), view=view)
        picture = decode(to_jpeg(looked_at))
        wanted = shown(decode(sent.jpeg))
        assert picture.shape == wanted.shape
        assert np.abs(picture.astype(int) - wanted).mean() < 2.0

    def test_another_kind_of_picture_becomes_a_jpeg(self) -> None:
        png = cv2.imencode(".png", scene(1))[1].tobytes()
        assert to_jpeg(CapturedFrame(None, 1, 0.0, jpeg=png)).startswith(b"\xff\xd8\xff")

    def test_colours_are_not_swapped(self) -> None:
        red = np.full((16, 16, 3), (255, 0, 0), np.uint8)
        assert decode(encode_jpeg(red))[8, 8].tolist() == pytest.approx([255, 0, 0], abs=2)

    @pytest.mark.fault(23)
    def test_a_jpeg_that_is_cut_off_is_not_kept_but_counted(self, folder: Path) -> None:
        whole = frame(1, is_jpeg=True)
        cut = dataclasses.replace(whole, jpeg=whole.jpeg[:-20])
        sink = open_sink(folder, when="all")
        sink.handle(prediction(1), cut)
        assert sink.counts["unreadable"] == 1
        assert sink.counts["recorded"] == 0

    def test_a_frame_that_was_never_decoded_is_looked_at_all_the_same(self, folder: Path) -> None:
        sent = CapturedFrame(None, 1, 0.0, jpeg=jpeg_of(scene(1)))
        open_sink(folder, when="every", every=1).handle(prediction(1), sent)
        assert kept(folder) == [1]

    def test_the_folder_can_be_trained_on(self, folder: Path) -> None:
        sink = open_sink(folder, when="all")
        for number, label in enumerate(["cat", "dog", UNKNOWN, "cat"]):
            sink.handle(prediction(number, label), frame(number))
        sink.close()
        pictures = FolderPictures(folder)
        assert pictures.labels.names == ("cat", "dog", UNKNOWN)
        assert len(pictures) == 4

    def test_the_log_says_what_the_model_thought(self, folder: Path) -> None:
        open_sink(folder, when="all").handle(prediction(5, "cat", 0.75), frame(5))
        (line,) = (folder / "records.jsonl").read_text().splitlines()
        found = json.loads(line)
        assert (found["label"], found["score"], found["when"]) == ("cat", 0.75, "all")
        assert [p["label"] for p in found["predictions"]] == ["cat", "dog"]


class TestDiversity:
    def test_a_frame_that_looks_like_one_kept_lately_is_left_out(self, folder: Path) -> None:
        sink = open_sink(folder, when="every", every=1)
        for number in (0, 0, 1, 0, 1, 2):
            sink.handle(prediction(number), frame(number))
        assert kept(folder) == [0, 1, 2]
        assert sink.counts["alike"] == 3

    def test_it_can_be_switched_off(self, folder: Path) -> None:
        sink = open_sink(folder, when="every", every=1, is_diverse=False)
        for _ in range(3):
            sink.handle(prediction(0), frame(0))
        assert kept(folder) == [0, 0, 0]

    @pytest.mark.parametrize(
        ("changed", "is_new"),
        [
            pytest.param(lambda p, r: p + r.normal(0, 10, p.shape), False, id="noise of a sensor"),
            pytest.param(lambda p, _: p * 1.03, False, id="a little more light"),
            pytest.param(lambda p, _: p + 10, False, id="brighter as a whole"),
            pytest.param(lambda p, _: np.roll(p, 40, 1), True, id="moved by a twelfth"),
            pytest.param(lambda p, _: covered(p), True, id="a hand in a corner"),
        ],
    )
    def test_what_counts_as_new(self, changed: Any, is_new: bool) -> None:
        picture = scene(0, (360, 480))
        random = np.random.default_rng(1)
        other = np.clip(changed(picture.astype(float) * 0.8, random), 0, 255).astype(np.uint8)
        diversity = Diversity()
        diversity.remember(to_thumbnail((picture * 0.8).astype(np.uint8)))
        assert diversity.is_new(to_thumbnail(other)) is is_new


def covered(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    hand = picture.copy()
    hand[:90, :90] = 120.0
    return hand


class TestFaults:
    @pytest.mark.fault(68)
    def test_a_disk_that_fails_is_told_once_and_recording_goes_on_later(self, folder: Path) -> None:
        told: list[str] = []
        sink = RecordSink(folder, RecordSettings("all", min_free_bytes=0), told.append)
        folder.rename(folder.with_name("pulled"))
        for number in range(3):
            sink.handle(prediction(number), frame(number))
        folder.with_name("pulled").rename(folder)
        sink._outage._next_s = 0.0  # a second later
        sink.handle(prediction(3), frame(3))
        assert kept(folder) == [3]
        assert sink.counts["errors"] == 3
        assert told == [
            f"record {folder}: No such file or directory; classifying goes on without it",
            f"record {folder}: works again, 3 missed",
        ]

    @pytest.mark.fault(73)
    def test_two_cannot_record_into_one_folder(self, folder: Path) -> None:
        first = open_sink(folder)
        with pytest.raises(SinkError, match="another edgecls records into"):
            open_sink(folder)
        first.close()

    @pytest.mark.fault(69)
    def test_the_quota_deletes_the_oldest(self, folder: Path) -> None:
        size = len(encode_jpeg(scene(0)))
        sink = open_sink(folder, when="all", quota_bytes=3 * size + 200)
        for _ in range(5):
            sink.handle(prediction(0), frame(0))
        assert sink.counts["deleted"] == 2
        assert len(list((folder / "cat").iterdir())) == 3
