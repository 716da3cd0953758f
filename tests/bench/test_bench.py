"""What is measured, in processes of their own; which number of threads is recommended."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.bench import (
    Configuration,
    find_threads,
    measure,
    parse_threads,
    recommend,
    thread_counts,
)
from edgecls.errors import EngineError, InvalidValueError
from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import frame_of, write_tiny_model


@pytest.fixture
def model(tmp_path: Path) -> str:
    write_tiny_model(tmp_path / "tiny.tflite")
    return str(tmp_path / "tiny.tflite")


def test_a_measurement(model: str) -> None:
    found = measure(Configuration(model, seconds=0.3))
    assert (found.model, found.runtime, found.threads) == (model, "litert", 1)
    assert 0 < found.latency_ms["p50"] <= found.latency_ms["p95"] <= found.latency_ms["p99"]
    assert found.load_ms > 0
    assert found.first_ms > 0
    assert found.runs >= 5
    # One after the other: the rate and the typical latency tell the same, within a busy machine.
    assert found.fps <= 1000 / found.latency_ms["p50"] * 1.5
    assert 10 < found.rss_mb <= found.peak_rss_mb < 500
    assert "stages_ms" not in found.to_json()


def test_real_pictures_are_decoded_and_prepared_too(model: str, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.jpg"), frame_of(3, size=(480, 640)))
    (folder / "b.jpg").write_bytes(b"torn")
    found = measure(Configuration(model, seconds=0.2, data=str(folder))).to_json()
    assert set(found["stages_ms"]) == {"decode", "prepare"}
    assert found["stages_ms"]["decode"]["p50"] > found["latency_ms"]["p50"]
    assert found["unreadable"] == 1


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"runtime": "abacus"}, "there is no runtime 'abacus'"),
        ({"data": "/nowhere"}, "none of the pictures in '/nowhere' can be read"),
    ],
    ids=["an unknown engine", "no pictures"],
)
def test_what_fails_there_is_told_here(model: str, more: dict[str, str], problem: str) -> None:
    with pytest.raises(EngineError, match=problem):
        measure(Configuration(model, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"seconds": 0.0}, "seconds is 0.0, wanted more than 0"),
        ({"seconds": float("nan")}, "seconds is nan, wanted more than 0"),
        ({"threads": 0}, "0 threads were asked for, wanted at least 1"),
    ],
    ids=str,
)
def test_configurations_refuse_nonsense(settings: dict[str, float], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        Configuration("model.tflite", **settings)  # type: ignore[arg-type]


class TestThreads:
    @pytest.mark.parametrize(
        ("p50_ms", "threads"),
        [
            pytest.param({1: 10.0, 2: 6.0}, 2, id="well worth it"),
            pytest.param({1: 10.0, 2: 8.1}, 1, id="19% may be noise, and cost the decoder a core"),
            pytest.param({1: 10.0, 2: 8.0}, 2, id="20% are enough"),
            pytest.param({1: 10.0, 2: 6.0, 4: 5.5}, 2, id="four gain little over two"),
            pytest.param({1: 10.0, 2: 9.0, 4: 4.0}, 4, id="four gain much over one"),
            pytest.param({1: 10.0, 2: 15.0}, 1, id="slower"),
            pytest.param({1: 10.0}, 1, id="one core"),
        ],
    )
    def test_more_threads_must_be_worth_it(self, p50_ms: dict[int, float], threads: int) -> None:
        assert recommend(p50_ms).threads == threads

    def test_the_reason_in_words(self) -> None:
        assert recommend({1: 10.0, 2: 5.0}).reason == "2.0 times as fast as 1 thread"
        assert recommend({1: 1.0, 2: 1.0}).reason == "more threads are not at least 20% faster"

    @pytest.mark.parametrize(
        ("cores", "counts"),
        [(1, [1]), (2, [1, 2]), (4, [1, 2, 4]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])],
    )
    def test_numbers_to_try(self, cores: int, counts: list[int]) -> None:
        assert thread_counts(cores) == counts

    @pytest.mark.parametrize(
        ("text", "counts"), [("1", [1]), ("1,2,4", [1, 2, 4]), (" 4, 1,4 ", [4, 1])]
    )
    def test_lists(self, text: str, counts: list[int]) -> None:
        assert parse_threads(text) == counts

    @pytest.mark.parametrize("text", ["", "0", "1,,2", "two", "-1", "1.5"])
    def test_what_is_no_list(self, text: str) -> None:
        with pytest.raises(InvalidValueError, match=r"--threads is .*, wanted whole numbers"):
            parse_threads(text)

    def test_a_small_model_needs_one_thread(self, model: str) -> None:
        found = find_threads(Configuration(model, seconds=0.3), counts=[1])
        assert found.threads == 1
        assert list(found.p50_ms) == [1]
