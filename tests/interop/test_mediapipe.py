"""MediaPipe's ImageClassifier reads our model files: our labels, our answers."""

from __future__ import annotations

import json

import pytest

from edgecls.contract.modelfile import load_model_file
from tests.interop.interpreters import HERE, Interpreter, Subject


def answers_of(mediapipe: Interpreter, subject: Subject) -> list[str]:
    done = mediapipe.run(HERE / "mediapipe_answers.py", subject.model, subject.images)
    assert done.returncode == 0, done.stderr
    return [label for label, _ in json.loads(done.stdout)]


@pytest.mark.parametrize(("subject", "count"), [("photos", 100), ("color_digits", 1000)])
def test_it_shows_our_labels_and_agrees(
    mediapipe: Interpreter, subject: str, count: int, request: pytest.FixtureRequest
) -> None:
    ours: Subject = request.getfixturevalue(subject)
    theirs = answers_of(mediapipe, ours)
    assert len(theirs) == count
    assert set(theirs) <= set(load_model_file(ours.model).card.labels)
    assert theirs == ours.labels


def test_gray_images_are_not_for_it(mediapipe: Interpreter, gray_digits: Subject) -> None:
    done = mediapipe.run(HERE / "mediapipe_answers.py", gray_digits.model, gray_digits.images)
    assert "Only RGB color space is supported for now" in done.stderr
