"""`edgecls review` as a command: what it refuses, what it says, and killed as a process."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.review.recording import contents, record
from tests.support.tiny_model import write_tiny_model

Cli = Callable[..., Any]
SHOWN = (("cat", 0.55, 2, 20.0), ("cat", 0.6, 2, 20.5), ("dog", 0.7, 3, 30.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record(tmp_path / "seen", SHOWN)
    return tmp_path / "seen"


@contextlib.contextmanager
def reviewing(folder: Path, *more: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the address of its page."""
    command = [sys.executable, "-m", "edgecls", "review", str(folder), *map(str, more),
               "--listen", "127.0.0.1:0", "--json"]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            yield process, next(f[0] for line in lines if (f := re.search(r"http://\S+/", line)))
        finally:
            process.kill()


@pytest.fixture(scope="module")
def one_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page that tests share, since none of them changes anything."""
    place = tmp_path_factory.mktemp("shared")
    record(place / "seen", SHOWN)
    with reviewing(place / "seen", "--into", place / "pictures") as (_, url):
        yield url


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url) as reply:
        found: dict[str, Any] = json.loads(reply.read())
    return found


def post(url: str, path: str, **body: Any) -> dict[str, Any]:
    """What a page of this address would send, and the answer."""
    headers = {"Content-Type": "application/json", "Origin": url.rstrip("/")}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as reply:
        found: dict[str, Any] = json.loads(reply.read())
    return found


def ids(group: dict[str, Any]) -> list[str]:
    return [picture["id"] for picture in group["group"]["pictures"]]


@pytest.mark.fault(65)
def test_what_was_answered_is_on_the_disk_after_kill_9(folder: Path, tmp_path: Path) -> None:
    before, into = contents(folder), tmp_path / "pictures"
    with reviewing(folder, "--into", into) as (process, url):
        answer = post(url, "accept", ids=ids(get(url + "group?skip=0")))
        process.kill()
    assert answer["change"] == {
        "kind": "accept", "count": 2, "missing": 0, "labels": ["cat"], "problem": ""
    }  # fmt: skip
    assert {name.partition("/")[0] for name in contents(into).values()} == {"cat"}
    assert len(contents(into).keys() & before.keys()) == 2
    with reviewing(folder, "--into", into) as (_, url):
        state = get(url + "state")
        assert (state["left"], state["undo"]) == (1, {"kind": "accept", "count": 2})
        post(url, "undo")
    assert contents(folder) == before


def test_ctrl_c_ends_it_with_a_summary(folder: Path, tmp_path: Path) -> None:
    with reviewing(folder, "--into", tmp_path / "pictures") as (process, url):
        post(url, "reject", ids=ids(get(url + "group?skip=0")))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    summary = json.loads(out)
    assert (summary["accepted"], summary["rejected"], summary["left"]) == (0, 2, 1)


def test_a_model_is_asked_now(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "tiny.tflite"
    write_tiny_model(model, labels=("dark", "gray", "bright"))
    into = tmp_path / "pictures"
    with reviewing(folder, "--into", into, "--model", model) as (_, url):
        labels = [entry["label"] for entry in get(url + "state")["labels"]]
        assert labels == ["dark", "gray", "bright"]
        groups = [get(f"{url}group?skip={number}")["group"] for number in range(2)]
    assert {p["guess"] for group in groups for p in group["pictures"]} <= set(labels)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("accept", {}, 400, id="no ids"),
        pytest.param("accept", {"ids": [1]}, 400, id="ids that are no text"),
        pytest.param("accept", {"ids": ["../seen"]}, 400, id="a path for an id"),
        pytest.param("relabel", {"ids": []}, 400, id="no label"),
        pytest.param("group?skip=-1", None, 400, id="a number that is none"),
        pytest.param("picture?id=../../etc/passwd", None, 400, id="a path for a picture"),
        pytest.param("seen/records.jsonl", None, 404, id="a file of the folder"),
    ],
)
def test_what_makes_no_sense_is_refused(
    one_url: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(one_url + path) if body is None else post(one_url, path, **body)
    assert refused.value.code == status
    refused.value.close()
    assert get(one_url + "state")["left"] == 3


def test_without_a_folder_it_says_what_makes_one(cli: Cli, tmp_path: Path) -> None:
    result = cli("review", tmp_path / "none")
    assert result.exit_code == 1
    assert "there is no folder" in result.stderr
    assert "edgecls camera --record" in result.stderr


def test_the_folder_itself_can_be_no_data_set(cli: Cli, folder: Path) -> None:
    result = cli("review", folder, "--into", folder)
    assert result.exit_code == 1
    assert "is what DIR reads" in result.stderr


def test_the_trash_is_emptied_when_asked(cli: Cli, folder: Path, tmp_path: Path) -> None:
    with reviewing(folder, "--into", tmp_path / "pictures") as (_, url):
        post(url, "reject", ids=ids(get(url + "group?skip=0")))
    result = cli("review", folder, "--empty-trash", "--json")
    assert json.loads(result.stdout) == {"deleted": 2}
    assert len(contents(folder)) == 1
