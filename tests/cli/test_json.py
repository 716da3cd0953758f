"""The fields of `--json`: people's scripts stand on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgecls import __version__
from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import frame_of

Cli = Callable[..., Any]


def read_lines(result: Any) -> list[dict[str, Any]]:
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_classify(cli: Cli, model: Path, pictures: Path) -> None:
    result = cli("classify", "--model", model, "--top-k", 2, "--json", pictures)
    first, second = read_lines(result)
    assert result.exit_code == 0
    assert set(first) == {"file", "predictions", "latency_ms"}
    assert first["file"] == str(pictures / "level 2.png")
    assert [set(entry) for entry in first["predictions"]] == [{"index", "label", "score"}] * 2
    assert (first["predictions"][0]["index"], first["predictions"][0]["label"]) == (2, "level 2")
    assert set(first["latency_ms"]) == {"decode", "prepare", "invoke"}
    assert second["predictions"][0]["label"] == "level 7"


def test_classify_a_file_that_is_no_picture(cli: Cli, model: Path, pictures: Path) -> None:
    broken = pictures / "broken.jpg"
    broken.write_bytes(b"no picture")
    result = cli("classify", "--model", model, "--json", pictures)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert result.stderr == "1 of 3 files could not be classified\n"
    assert [set(line) for line in lines] == [
        {"file", "error"},
        {"file", "predictions", "latency_ms"},
        {"file", "predictions", "latency_ms"},
    ]
    assert lines[0]["file"] == str(broken)


def test_evaluate(cli: Cli, model: Path, tmp_path: Path) -> None:
    for folder, level in (("level 2", 2), ("level 7", 8)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), frame_of(level))
    (tmp_path / "level 7" / "b.png").write_bytes(b"")
    result = cli("evaluate", "--model", model, "--json", tmp_path)
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert result.exit_code == 0
    assert "warning: left out: " in result.stderr
    promised = {"images", "unreadable", "top1", "top5", "macro_f1", "per_class", "confusion"}
    assert promised <= set(found)
    assert (found["images"], found["unreadable"], found["top1"]) == (2, 1, 0.5)
    assert found["per_class"][2] == {
        "label": "level 2",
        "images": 1,
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
    }
    assert found["confusion"][7] == [0, 0, 0, 0, 0, 0, 0, 0, 1, 0]


def test_camera(cli: Cli, model: Path) -> None:
    source = "fake:colors?fps=0&frames=3"
    result = cli("camera", "--model", model, "--source", source, "--json", "--top-k", 2)
    lines = read_lines(result)
    assert result.exit_code == 0
    assert [line["event"] for line in lines] == [
        "prediction",
        "change",
        "prediction",
        "prediction",
        "summary",
    ]
    # A recording has its own time: how old a frame was belongs to a live camera.
    wanted = {"event", "frame", "time", "label", "score", "predictions", "steady"}
    assert set(lines[0]) == wanted
    assert set(lines[1]) == {"event", "frame", "time", "label", "previous", "score"}
    assert set(lines[-1]) == {
        "event",
        "frames",
        "classified",
        "dropped",
        "unreadable",
        "seconds",
        "fps",
        "latency_ms",
        "time_shares",
    }
    assert all(set(spread) == {"p50", "p95", "p99"} for spread in lines[-1]["latency_ms"].values())
    assert len(lines[0]["predictions"]) == 2


def test_camera_that_is_lost(cli: Cli, model: Path) -> None:
    source = "fake:colors?fps=100&fail_after=2"
    result = cli("camera", "--model", model, "--source", source, "--json", "--duration", 0.8)
    states = [line for line in read_lines(result) if line["event"] == "source"]
    assert states[0] == {
        "event": "source",
        "state": "lost",
        "time": states[0]["time"],
        "source": source,
        "reason": "it was unplugged, as it was told to be",
    }
    assert set(states[1]) == {"event", "state", "time", "source"}


def test_camera_into_a_file_too(cli: Cli, model: Path, tmp_path: Path) -> None:
    result = cli(
        *("camera", "--model", model, "--source", "fake:colors?fps=0", "--json"),
        *("--jsonl", tmp_path / "events.jsonl"),
    )
    assert (tmp_path / "events.jsonl").read_text() == result.stdout


def test_inspect(cli: Cli, model: Path) -> None:
    (found,) = read_lines(cli("inspect", "--json", model))
    assert set(found) == {
        "model",
        "bytes",
        "inputs",
        "outputs",
        "operators",
        "macs",
        "operator_table",
        "parameters",
        "parameter_bytes",
        "arena_bytes",
        "minimum_runtime",
        "warnings",
        "card",
        "labels",
        "golden_vectors",
        "golden_frames",
    }
    (image,) = found["inputs"]
    assert (image["shape"], image["dtype"]) == ([1, 28, 28, 1], "uint8")
    assert (image["scale"], image["zero_point"]) == (1.0, 0)
    assert found["operators"]["FULLY_CONNECTED"] == {"count": 1, "version": 1}
    assert found["macs"] == 28 * 28 * 10
    assert found["parameters"] == 28 * 28 * 10 + 10
    assert found["parameter_bytes"] == 28 * 28 * 10 + 4 * 10 + 4 * 2
    assert found["operator_table"][1] == {
        "name": "FULLY_CONNECTED",
        "version": 1,
        "inputs": [[1, 784]],
        "outputs": [[1, 10]],
        "dtype": "uint8",
        "macs": 7840,
        "parameter_bytes": 7880,
    }
    assert found["warnings"] == []
    assert found["labels"] == [f"level {level}" for level in range(10)]
    assert found["card"]["input"]["size"] == [28, 28]
    assert found["golden_vectors"] == 4


def test_verify(cli: Cli, model: Path) -> None:
    (found,) = read_lines(cli("verify", "--json", model))
    assert set(found) == {
        "model",
        "runtime",
        "vectors",
        "frames",
        "scaled_frames",
        "largest_difference",
        "tolerance",
        "unit",
    }
    assert (found["vectors"], found["frames"], found["largest_difference"]) == (4, 4, 0.0)


def test_doctor_looks_at_a_model(cli: Cli, model: Path) -> None:
    (found,) = read_lines(cli("doctor", "--json", "--model", model))
    assert found["model_warnings"] == []


def test_compare(cli: Cli, model: Path, pictures: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for level in (2, 7):
        (data / f"level {level}").mkdir(parents=True)
        picture = pictures / f"level {level}.png"
        picture.rename(data / f"level {level}" / picture.name)
    found = json.loads(cli("compare", "--json", model, model, data).stdout)
    assert set(found) == {
        "model_a",
        "model_b",
        "images",
        "unreadable",
        "a",
        "b",
        "agreement",
        "overall",
        "per_class",
        "changed",
    }
    assert (found["images"], found["agreement"], found["changed"]) == (2, 1.0, [])
    assert found["a"]["top1"] == found["b"]["top1"] == 1.0
    assert set(found["a"]["latency_ms"]) == {"p50", "p95", "p99"}
    assert found["overall"]["p"] == 1.0
    assert [entry["label"] for entry in found["per_class"]] == ["level 2", "level 7"]


def test_doctor(cli: Cli) -> None:
    (found,) = read_lines(cli("doctor", "--json"))
    assert set(found) == {
        *("system", "python", "cores", "packages", "engine", "cameras", "coral"),
        *("board", "memory_mb", "profile", "findings"),
    }
    assert found["packages"]["edgecls"] == __version__
    assert "tensorflow" in found["packages"]
    assert found["engine"] in ("litert", "tflite_runtime")
    assert all(set(camera) == {"device", "name", "usable"} for camera in found["cameras"])
