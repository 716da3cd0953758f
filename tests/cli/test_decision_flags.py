"""Flags of `edgecls camera` that say how scores become labels, and about other models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny_model import write_tiny_model

Cli = Callable[..., Any]
COLORS = ("black", "blue", "2", "red", "4", "5", "green", "7", "8", "9", "white")


@pytest.fixture
def colors(tmp_path: Path) -> Path:
    """A model that tells the five made-up colours apart."""
    write_tiny_model(tmp_path / "colors.tflite", labels=COLORS)
    return tmp_path / "colors.tflite"


def events(result: Any, *kinds: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return [line for line in lines if line["event"] in kinds]


def run(cli: Cli, model: Path, *more: object) -> Any:
    """Ten frames: black, red, green, blue, white, and again; a thirtieth of a second apart."""
    source = "fake:colors?fps=0&frames=10"
    return cli("camera", "--model", model, "--source", source, "--json", *more)


def test_denied_labels_are_never_said(cli: Cli, colors: Path) -> None:
    result = run(cli, colors, "--deny", "red,green", "--threshold", "0.5")
    predictions = events(result, "prediction")
    assert [line["label"] for line in predictions[:5]] == [
        *("black", "unknown", "unknown", "blue", "white"),
    ]
    named = {entry["label"] for line in predictions for entry in line["predictions"]}
    assert not named & {"red", "green"}
    assert result.stderr == ""


def test_only_allowed_labels_are_said(cli: Cli, colors: Path) -> None:
    result = run(cli, colors, "--allow", "black", "--allow", "white,blue")
    assert {line["label"] for line in events(result, "prediction")} == {"black", "white", "blue"}
    assert result.stderr.startswith("warning: without a threshold, a frame of a label that may not")


def test_without_smoothing_every_frame_changes_the_label(cli: Cli, colors: Path) -> None:
    changes = events(run(cli, colors, "--no-smoothing"), "change")
    assert [line["frame"] for line in changes] == list(range(10))


def test_a_label_stays_as_long_as_it_is_held(cli: Cli, colors: Path) -> None:
    # Frames are 1/30 s apart: 0.1 s is every third, and time is the recording's own.
    result = run(cli, colors, "--smoothing", 0, "--margin", 0, "--hold", 0.1)
    assert [line["frame"] for line in events(result, "change")] == [0, 3, 6, 9]


def test_labels_enter_leave_and_are_held(cli: Cli, colors: Path) -> None:
    result = run(cli, colors, *("--smoothing", 0, "--margin", 0, "--hold", 0.1, "--held", 0.05))
    told = events(result, "entered", "left", "held")
    assert told[:4] == [
        {"event": "entered", "frame": 0, "time": 0.0, "label": "black", "seconds": 0.0},
        {"event": "held", "frame": 2, "time": 0.067, "label": "black", "seconds": 0.05},
        {"event": "left", "frame": 3, "time": 0.1, "label": "black", "seconds": 0.1},
        {"event": "entered", "frame": 3, "time": 0.1, "label": "blue", "seconds": 0.0},
    ]


def test_entering_and_leaving_alone(cli: Cli, colors: Path) -> None:
    result = run(cli, colors, "--no-smoothing", "--label-events")
    assert len(events(result, "entered")) == 10
    assert len(events(result, "left")) == 9
    assert events(result, "held") == []


def test_the_summary_tells_flips_by_the_hour(cli: Cli, model: Path) -> None:
    source = "fake:colors?fps=0&frames=61&loop=1"
    result = cli(
        *("camera", "--model", model, "--source", source, "--json", "--no-smoothing"),
        *("--max-frames", 61),
    )
    (summary,) = events(result, "summary")
    # Black and blue (0 and 29 of 255) fall into levels 0 and 1: every frame flips, 30 a second.
    assert summary["flips_per_hour"] == {"label": 108000.0, "steady": 108000.0}


class TestShadow:
    def test_the_summary_tells_how_far_they_agree(
        self, cli: Cli, colors: Path, tmp_path: Path
    ) -> None:
        swapped = tmp_path / "swapped.tflite"
        names = list(COLORS)
        names[3], names[6] = names[6], names[3]
        write_tiny_model(swapped, (40, 40), labels=names)
        result = run(cli, colors, "--shadow", swapped, "--shadow-every", 1)
        (summary,) = events(result, "summary")
        shadow = summary["shadow"]
        assert (shadow["model"], shadow["compared"], shadow["disagreed"]) == (str(swapped), 10, 4)
        assert (shadow["labelled"], shadow["correct"], shadow["candidate_correct"]) == (10, 10, 6)
        first = events(result, "shadow")[0]
        assert (first["frame"], first["label"], first["candidate"]) == (1, "red", "green")

    @pytest.mark.parametrize(
        ("more", "problem"),
        [
            (("--shadow", "nowhere.tflite"), "there is no file 'nowhere.tflite'"),
            (("--shadow-every", "0"), "--shadow-every is 0, wanted at least 1"),
        ],
        ids=["no file", "never"],
    )
    def test_bad_input(self, cli: Cli, colors: Path, more: tuple[str, ...], problem: str) -> None:
        result = run(cli, colors, *more)
        assert result.exit_code == 1
        assert problem in result.stderr

    def test_a_candidate_of_other_labels(self, cli: Cli, colors: Path, model: Path) -> None:
        result = run(cli, colors, "--shadow", model)
        assert result.exit_code == 1
        assert "cannot be compared: the candidate lacks the label 'black'" in result.stderr


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (("--threshold", "7"), "the threshold is 7.0, wanted a score in 0 to 1"),
        (("--held", "0"), "held_s is 0.0, wanted more than 0 seconds"),
        (("--margin", "nan"), "margin is nan, wanted 0 or more"),
        (("--allow", "blak"), "the model has no label 'blak'"),
        (("--no-smoothing", "--smoothing", "1"), "--no-smoothing was given together with"),
    ],
    ids=" ".join,
)
def test_bad_input(cli: Cli, colors: Path, more: tuple[str, ...], problem: str) -> None:
    result = run(cli, colors, *more)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {problem}")


def test_a_name_nearly_right_is_answered_with_the_right_one(cli: Cli, colors: Path) -> None:
    assert "hint: did you mean 'black'" in run(cli, colors, "--deny", "blak").stderr


def test_reload_watches_and_changes_nothing_while_nothing_happens(cli: Cli, colors: Path) -> None:
    result = run(cli, colors, "--reload")
    assert result.exit_code == 0
    assert events(result, "model") == []
