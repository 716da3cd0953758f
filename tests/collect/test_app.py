"""What the page is told, and what it may do, over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from edgecls.imaging.decode import decode
from tests.collect.conftest import Served, wait_until
from tests.support.scripted_camera import picture_of


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """With the labels cat and dog."""
    return serve("cat", "dog")


def ids(served: Served, label: str) -> list[str]:
    return [picture["id"] for picture in served.get(f"pictures?label={label}")["pictures"]]


def content(served: Served, path: str) -> tuple[str, bytes]:
    with urllib.request.urlopen(served.url + path) as reply:
        return reply.headers["Content-Type"], reply.read()


def status(served: Served, path: str) -> int:
    try:
        with urllib.request.urlopen(served.url + path) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


class TestState:
    def test_labels_with_their_keys_and_counts(self, served: Served) -> None:
        served.post("press", label="dog")
        labels = served.get("state")["labels"]
        assert [(entry["label"], entry["key"], entry["count"]) for entry in labels] == [
            ("cat", "1", 0),
            ("dog", "2", 1),
        ]
        assert labels[1]["newest"] == ids(served, "dog")[0]

    def test_after_nine_labels_come_letters_without_those_that_do_something_else(
        self, serve: Callable[..., Served]
    ) -> None:
        served = serve(*(f"label {number}" for number in range(40)))
        keys = "".join(entry["key"] for entry in served.get("state")["labels"])
        assert keys == "123456789abcdefghijklmopqrstvwxyz"

    def test_the_source_and_what_became_of_it(self, served: Served) -> None:
        assert served.get("state")["source"]["state"] == "live"
        assert served.get("state")["source"]["troubles"] == []
        served.camera.is_plugged_in = False
        wait_until(lambda: served.get("state")["source"]["state"] == "lost")
        assert served.get("state")["source"]["problem"] == "it was unplugged"

    def test_hints_come_by_themselves(self, served: Served) -> None:
        served.post("press", label="cat")
        wait_until(lambda: "cat 1" in str(served.get("state")["hints"]))
        kinds = {hint["kind"] for hint in served.get("state")["hints"]}
        assert kinds == {"few-moments", "too-few"}

    def test_a_page_that_comes_is_told_how_things_stand(self, served: Served) -> None:
        served.post("press", label="cat")
        with urllib.request.urlopen(served.url + "events") as events:
            lines = [events.readline().decode().strip() for _ in range(4)]
            served.post("press", label="cat")
            while not (line := events.readline().decode()).startswith("data: "):
                pass
        assert lines[2] == "event: state"
        counts = [
            json.loads(text.removeprefix("data: "))["labels"][0]["count"]
            for text in (lines[3], line)
        ]
        assert counts[0] == 1
        assert counts[1] in (1, 2)


class TestPressing:
    def test_what_was_kept_is_answered(self, served: Served) -> None:
        served.camera.show(3)
        reply = served.post("press", label="cat")
        assert reply["kept"]
        assert (served.folder / reply["name"]).read_bytes() == picture_of(3)

    def test_holding_goes_on_with_the_burst(self, served: Served) -> None:
        reply = served.post("press", label="cat")
        again = served.post("hold", label="cat", burst=reply["burst"])
        assert (again["burst"], again["kept"], again["alike"]) == (reply["burst"], False, True)

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            pytest.param({"label": "bird"}, "no label 'bird'", id="another label"),
            pytest.param({}, "lacks 'label'", id="none"),
            pytest.param({"label": 1}, "lacks 'label'", id="a number"),
            pytest.param({"label": ["cat"]}, "lacks 'label'", id="a list"),
            pytest.param({"label": "../../etc"}, "no label '../../etc'", id="a path"),
        ],
    )
    def test_nonsense_is_refused(
        self, served: Served, body: dict[str, object], problem: str
    ) -> None:
        refused = served.post("press", **body)
        assert refused["status"] == 400
        assert problem in refused["error"]
        assert list(served.folder.glob("*/*.jpg")) == []

    def test_a_lost_camera_is_503(self, served: Served) -> None:
        served.camera.is_plugged_in = False
        wait_until(lambda: served.session.live.state == "lost")
        refused = served.post("press", label="cat")
        assert (refused["status"], refused["error"]) == (
            503,
            "the camera gives no pictures: it was unplugged",
        )

    def test_a_full_disk_is_507(self, serve: Callable[..., Served]) -> None:
        served = serve("cat", quota_bytes=1, min_free_bytes=0)
        refused = served.post("press", label="cat")
        assert refused["status"] == 507
        assert "emptying the trash" in refused["hint"]
        assert served.get("state")["disk"] == "the quota of 0 MB is used up"


class TestMany:
    def test_move_delete_and_undo(self, served: Served) -> None:
        for number in range(4):
            served.camera.show(number)
            served.post("press", label="cat")
        newest_first = ids(served, "cat")
        assert served.post("relabel", ids=newest_first[:2], label="dog")["count"] == 2
        assert (served.kept("cat"), served.kept("dog")) == ([0, 1], [2, 3])
        assert served.post("discard", ids=newest_first[2:])["count"] == 2
        assert served.get("state")["undo"] == {"kind": "discard", "label": "", "count": 2}
        assert served.post("undo")["kind"] == "discard"
        assert served.post("undo")["kind"] == "relabel"
        assert served.kept("cat") == [0, 1, 2, 3]

    @pytest.mark.parametrize("path", ["relabel", "discard"])
    @pytest.mark.parametrize(
        "wrong",
        [["../../secret.jpg"], ["cat/000000001.jpg"], "all", [1], [None], {"a": 1}],
        ids=str,
    )
    def test_ids_that_are_none(self, served: Served, path: str, wrong: object) -> None:
        served.post("press", label="cat")
        assert served.post(path, ids=wrong, label="dog")["status"] == 400
        assert served.kept("cat") == [0]

    def test_the_trash_is_emptied_when_it_is_asked_for(self, served: Served) -> None:
        served.post("press", label="cat")
        served.post("discard", ids=ids(served, "cat"))
        assert served.get("state")["trash"] == len(picture_of(0))
        assert served.post("empty-trash") == {"deleted": 1}
        assert served.get("state")["trash"] == 0
        assert served.get("state")["undo"] is None

    def test_nothing_to_undo_is_no_error(self, served: Served) -> None:
        assert served.post("undo")["count"] == 0


class TestLabels:
    def test_a_new_one(self, served: Served) -> None:
        assert served.post("add-label", label=" red bird ") == {"label": "red bird"}
        assert served.post("press", label="red bird")["kept"]
        assert served.kept("red bird") == [0]

    @pytest.mark.parametrize("label", ["", "..", "a/b", ".x", "a\nb", "CAT", "x" * 300])
    def test_one_that_can_be_none(self, served: Served, label: str) -> None:
        assert served.post("add-label", label=label)["status"] == 400
        assert [entry["label"] for entry in served.get("state")["labels"]] == ["cat", "dog"]

    def test_one_that_was_a_slip_is_removed(self, served: Served) -> None:
        served.post("remove-label", label="dog")
        assert [entry["label"] for entry in served.get("state")["labels"]] == ["cat"]


class TestPictures:
    def test_the_newest_first_and_no_more_than_asked_for(self, served: Served) -> None:
        names = [served.post("press", label="cat")["name"] for _ in range(4)]
        found = served.get("pictures?label=cat&count=3")
        assert found["total"] == 4
        assert [f"cat/{picture['name']}" for picture in found["pictures"]] == names[:0:-1]

    def test_a_thumbnail_and_the_whole(self, served: Served) -> None:
        served.post("press", label="cat")
        identifier = ids(served, "cat")[0]
        kind, small = content(served, f"thumbnail?id={identifier}")
        assert kind == "image/jpeg"
        assert decode(small).shape == (120, 160, 3)
        assert content(served, f"picture?id={identifier}") == ("image/jpeg", picture_of(0))

    @pytest.mark.parametrize(
        "query",
        ["", "?id=", "?id=../../etc/passwd", "?id=/etc/passwd", "?id=1", "?id=%00"],
    )
    @pytest.mark.parametrize("path", ["thumbnail", "picture"])
    def test_an_id_that_is_none(self, served: Served, path: str, query: str) -> None:
        assert status(served, path + query) == 400

    def test_what_is_no_picture_is_no_picture_here_either(self, served: Served) -> None:
        (served.folder / "cat").mkdir()
        (served.folder / "cat" / "page.jpg").write_text("<script>alert(1)</script>")
        wait_until(lambda: served.get("state")["labels"][0]["count"] == 1)
        identifier = ids(served, "cat")[0]
        assert status(served, f"thumbnail?id={identifier}") == 404
        assert status(served, f"picture?id={identifier}") == 404

    @pytest.mark.parametrize("query", ["?label=bird", "?label=../x", "?label=cat&count=-1", ""])
    def test_there_must_be_such_a_label(self, served: Served, query: str) -> None:
        assert status(served, f"pictures{query}") == 400
