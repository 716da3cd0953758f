"""tflite-runtime 2.14, the engine of 32-bit boards, runs our model files and agrees."""

from __future__ import annotations

import json

import numpy as np

from tests.interop.interpreters import HERE, Interpreter, Subject


def answers_of(tflite_runtime: Interpreter, subject: Subject) -> list[str]:
    done = tflite_runtime.run(HERE / "edgecls_answers.py", subject.model, subject.images)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["engine"] == "tflite_runtime"
    labels: list[str] = found["labels"]
    return labels


def test_it_gives_the_same_labels_to_1000_digits_but_for_near_ties(
    tflite_runtime: Interpreter, gray_digits: Subject
) -> None:
    theirs = answers_of(tflite_runtime, gray_digits)
    assert len(theirs) == 1000
    # Its kernels round in other places than XNNPACK. This network was trained for seconds, so a few
    # digits are near ties; that of `edgecls train` gives the same label to all 1,000.
    assert np.mean(np.array(theirs) == np.array(gray_digits.labels)) >= 0.998


def test_it_decodes_prepares_and_computes_what_the_golden_vectors_say(
    tflite_runtime: Interpreter, gray_digits: Subject
) -> None:
    done = tflite_runtime.run("-m", "edgecls", "verify", gray_digits.model, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["runtime"].startswith("tflite_runtime 2.14")
    assert (found["vectors"], found["frames"], found["scaled_frames"]) == (8, 8, 8)
    assert found["largest_difference"] <= found["tolerance"]


def test_a_model_of_others_gives_it_nearly_the_same_labels(
    tflite_runtime: Interpreter, photos: Subject
) -> None:
    theirs = answers_of(tflite_runtime, photos)
    assert np.mean(np.array(theirs) == np.array(photos.labels)) >= 0.97


def test_its_python_has_an_opencv_of_another_generation(tflite_runtime: Interpreter) -> None:
    done = tflite_runtime.run("-m", "edgecls", "doctor", "--json")
    packages = json.loads(done.stdout)["packages"]
    assert packages["opencv-python-headless"] == "4.11.0.86"
    assert packages["ai-edge-litert"] is None
