"""What there is to review: recordings, proposals and other folders, damaged ones among them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecls.contract.events import UNKNOWN
from edgecls.errors import DatasetError
from edgecls.review.found import data_folder, find_pictures
from tests.review.recording import SHOWN, groups_of, jpeg_of, record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record(tmp_path / "seen", SHOWN)
    return tmp_path / "seen"


def test_of_very_many_pictures_the_least_certain_come_first(folder: Path) -> None:
    found = find_pictures(folder).least_certain(2)
    assert [found.guesses[name].score for name in found.names] == [0.55, 0.6]


def test_unknown_is_no_guess_where_no_predictions_were_written_down(tmp_path: Path) -> None:
    names = record(tmp_path / "seen", [("cat", 0.5, 1, 0.0)])
    log = tmp_path / "seen" / "records.jsonl"
    log.write_text(json.dumps({"file": names[0], "label": UNKNOWN, "score": 0.3}) + "\n")
    assert groups_of(tmp_path / "seen")[0].candidates[0].guess.label == ""


def test_a_damaged_log_says_nothing_and_stops_nothing(folder: Path) -> None:
    (folder / "records.jsonl").write_text('{"file": 5}\n[]\nxx\n{"file": "a", "score": "NaN"}\n')
    assert [c.guess.label for g in groups_of(folder) for c in g.candidates] == [""] * 4


def test_an_unreadable_picture_is_left_out(folder: Path) -> None:
    (folder / "cat" / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    assert sum(len(group.candidates) for group in groups_of(folder)) == 4


def test_links_are_passed_over(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg_of(9))
    (folder / "cat" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    assert len(find_pictures(folder).names) == 4


class TestProposals:
    @pytest.fixture
    def proposals(self, tmp_path: Path) -> Path:
        loose = tmp_path / "loose"
        loose.mkdir()
        for seed, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
            (loose / name).write_bytes(jpeg_of(seed))
        place = tmp_path / "runs" / "label" / "1"
        place.mkdir(parents=True)
        manifest = {"folder": str(loose), "into": str(tmp_path / "data"), "labels": ["cat", "dog"]}
        files = {"files": ["a.jpg", "b.jpg", "c.jpg", "../x.jpg", "gone.jpg"]}
        (place / "proposals.json").write_text(json.dumps({**manifest, **files}))
        (place / "proposals.csv").write_text(
            "file,label,guess,score,second,second_score,alike\n"
            "a.jpg,cat,cat,0.9000,dog,0.1000,1\n"
            "b.jpg,,dog,0.5500,cat,0.4500,2\n"
            "c.jpg,bird,dog,0.6000,cat,0.4000,3\n"
        )
        return place

    def test_come_with_their_pictures_guesses_and_data_set(
        self, proposals: Path, tmp_path: Path
    ) -> None:
        found = find_pictures(proposals)
        assert found.names == ("a.jpg", "b.jpg", "c.jpg")
        assert (found.into, found.labels) == (tmp_path / "data", ("cat", "dog"))
        assert found.guesses["b.jpg"].margin == pytest.approx(0.1)

    def test_a_label_that_a_person_wrote_is_certain(self, proposals: Path) -> None:
        guess = find_pictures(proposals).guesses["c.jpg"]
        assert (guess.label, guess.margin) == ("bird", 1.0)

    @pytest.mark.parametrize("content", ["", "{}", '{"folder": 1, "into": 2, "files": 3}'])
    def test_a_damaged_manifest_is_refused(self, proposals: Path, content: str) -> None:
        (proposals / "proposals.json").write_text(content)
        with pytest.raises(DatasetError, match="is damaged"):
            find_pictures(proposals)


class TestRefusals:
    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="there is no folder"):
            find_pictures(tmp_path / "none")

    def test_no_pictures(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="there are no pictures to review"):
            find_pictures(tmp_path)

    @pytest.mark.parametrize("into", ["seen", "seen/cat", "."])
    def test_a_data_set_that_is_or_holds_the_folder(
        self, folder: Path, tmp_path: Path, into: str
    ) -> None:
        with pytest.raises(DatasetError, match="one of the two lies in the other"):
            data_folder(tmp_path / into, folder.resolve())

    def test_a_divided_data_set_takes_pictures_to_train_with(
        self, folder: Path, tmp_path: Path
    ) -> None:
        for part in ("train/cat", "train/dog", "test/cat"):
            (tmp_path / "data" / part).mkdir(parents=True)
        assert data_folder(tmp_path / "data", folder) == tmp_path / "data" / "train"
