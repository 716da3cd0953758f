"""The classifier: from a frame to scores, whatever the model's dtype."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.contract.card import Output
from edgecls.contract.labels import Labels
from edgecls.contract.modelfile import (
    parse_model_file,
)
from edgecls.contract.structure import Operator
from edgecls.errors import EngineError, ModelFileError, ShapeError
from edgecls.pictures.folder import read_picture
from edgecls.runtimes import open_runtime
from tests.support.tiny_model import (
    frame_of,
    tiny_model_bytes,
    write_tiny_model,
)


def classifier_of(content: bytes, runtime: str = "auto") -> Classifier:
    """A classifier for the bytes of a model."""
    model = parse_model_file(content, "tiny.tflite")
    return Classifier(model, open_runtime(model, runtime))


def classifier_with(output: Output, tmp_path: Path) -> Classifier:
    """A classifier of three classes whose card decides as told."""
    write_tiny_model(tmp_path / "m.tflite", (4, 4), "GRAY", 3, output=output)
    return Classifier.open(tmp_path / "m.tflite")


@pytest.mark.parametrize("target", range(10))
@pytest.mark.parametrize("channels", ["RGB", "GRAY"])
def test_a_frame_of_a_class_is_classified_as_that_class(
    channels: Any, target: int, tmp_path: Path
) -> None:
    write_tiny_model(tmp_path / "m.tflite", (12, 16), channels)
    classifier = Classifier.open(tmp_path / "m.tflite")
    best = classifier.top(classifier.classify(frame_of(target)).scores, 1)[0]
    assert (best.index, best.label) == (target, f"level {target}")
    assert best.score > 0.9


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("has_softmax", [True, False], ids=["scores", "logits"])
def test_every_dtype_gives_the_same_answer(dtype: Any, has_softmax: bool) -> None:
    classifier = classifier_of(
        tiny_model_bytes((8, 8), "GRAY", 4, dtype=dtype, has_softmax=has_softmax)
    )
    found = [int(classifier.classify(frame_of(i, 4)).scores.argmax()) for i in range(4)]
    assert found == [0, 1, 2, 3]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("has_softmax", [True, False], ids=["scores", "logits"])
def test_scores_add_up_to_one(dtype: Any, has_softmax: bool) -> None:
    classifier = classifier_of(
        tiny_model_bytes((8, 8), "GRAY", 4, dtype=dtype, has_softmax=has_softmax)
    )
    scores = classifier.classify(frame_of(1, 4)).scores
    assert scores.dtype == np.float32
    assert scores.min() >= 0
    assert float(scores.sum()) == pytest.approx(1.0, abs=1e-6)


def ending_in(name: str, *, has_softmax: bool) -> Classifier:
    """A classifier whose graph is said to end in one more operator, which the engine leaves out."""
    content = tiny_model_bytes((8, 8), "GRAY", 4, dtype="float32", has_softmax=has_softmax)
    model = parse_model_file(content, "tiny.tflite")
    structure = model.structure
    before = structure.outputs[0]
    after = len(structure.tensors)
    last = Operator(name, 1, inputs=(before,), outputs=(after,))
    longer = dataclasses.replace(
        structure,
        tensors=(*structure.tensors, structure.tensors[before]),
        operators=(*structure.operators, last),
        outputs=(after,),
    )
    return Classifier(dataclasses.replace(model, structure=longer), open_runtime(model))


@pytest.mark.parametrize("name", ["QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE"])
def test_what_carries_logits_on_leaves_them_logits(name: str) -> None:
    scores = ending_in(name, has_softmax=False).to_scores(np.array([-5, 0, 0, 0], np.float32))
    assert scores.tolist() == pytest.approx([0.0022, 0.3326, 0.3326, 0.3326], abs=1e-4)


@pytest.mark.parametrize("name", ["QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE"])
def test_what_carries_scores_on_leaves_them_scores(name: str) -> None:
    scores = ending_in(name, has_softmax=True).to_scores(np.array([0, 0, 0.5, 0.5], np.float32))
    assert scores.tolist() == [0.0, 0.0, 0.5, 0.5]


def test_a_float_and_an_int8_reference_agree(data_folder: Path) -> None:
    folder = data_folder / "mlperf-tiny"
    float_one = Classifier.open(folder / "pretrainedResnet.tflite")
    int8_one = Classifier.open(folder / "pretrainedResnet_quant.tflite")
    frames = [read_picture(path) for path in sorted((data_folder / "imagenet-100").iterdir())[1:31]]
    gaps = [
        np.abs(float_one.classify(frame).scores - int8_one.classify(frame).scores).max()
        for frame in frames
    ]
    assert len(gaps) == 30
    assert np.median(gaps) < 0.05


def test_a_cat_is_a_cat_and_a_bird_a_bird(data_folder: Path) -> None:
    classifier = Classifier.open(data_folder / "coral/mobilenet_v2_1.0_224_quant.tflite")
    found = [
        classifier.top(classifier.classify(read_picture(data_folder / "coral" / name)).scores, 1)[
            0
        ].label
        for name in ("cat.bmp", "bird.bmp")
    ]
    assert found == ["Egyptian cat", "chickadee"]


def test_latency_is_told_by_stage() -> None:
    latency_ms = classifier_of(tiny_model_bytes()).classify(frame_of(0)).latency_ms
    assert set(latency_ms) == {"prepare", "invoke"}
    assert all(0 <= ms < 1000 for ms in latency_ms.values())


@pytest.mark.parametrize(
    ("temperature", "scores"),
    [
        pytest.param(1.0, [0.64, 0.32, 0.04], id="1 leaves scores as they are"),
        # Square roots 0.8, 0.5657, 0.2 divided by their sum 1.5657.
        pytest.param(2.0, [0.5110, 0.3613, 0.1277], id="2 takes square roots"),
        # Squares 0.4096, 0.1024, 0.0016 divided by their sum 0.5136.
        pytest.param(0.5, [0.7975, 0.1994, 0.0031], id="a half takes squares"),
    ],
)
def test_temperature_divides_the_logarithm_of_the_scores(
    temperature: float, scores: list[float], tmp_path: Path
) -> None:
    classifier = classifier_with(Output(temperature), tmp_path)
    stored = np.array([160, 80, 10], np.uint8)  # of 250: 0.64, 0.32 and 0.04
    assert classifier.to_scores(stored).tolist() == pytest.approx(scores, abs=1e-4)


def test_temperature_keeps_the_order_and_what_is_impossible(tmp_path: Path) -> None:
    classifier = classifier_with(Output(100.0), tmp_path)
    scores = classifier.to_scores(np.array([0, 200, 50], np.uint8))
    assert scores[0] == 0.0
    assert scores[1] > scores[2]


def test_scores_of_many_images_are_turned_at_once(tmp_path: Path) -> None:
    classifier = classifier_with(Output(), tmp_path)
    raw = np.array([[255, 0, 0], [64, 64, 128]], np.uint8)
    assert classifier.to_scores(raw).tolist() == [[1.0, 0.0, 0.0], [0.25, 0.25, 0.5]]


def test_a_model_that_scores_nothing_gives_zeros(tmp_path: Path) -> None:
    classifier = classifier_with(Output(), tmp_path)
    assert classifier.to_scores(np.zeros(3, np.uint8)).tolist() == [0.0, 0.0, 0.0]


def test_softmax_of_huge_logits_does_not_overflow() -> None:
    classifier = classifier_of(
        tiny_model_bytes((4, 4), "GRAY", 3, dtype="float32", has_softmax=False)
    )
    scores = classifier.to_scores(np.array([1000.0, 0.0, -1000.0], np.float32))
    assert scores.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.fault(21)
@pytest.mark.parametrize("has_softmax", [True, False], ids=["scores", "logits"])
def test_weights_that_are_no_numbers_are_an_error(has_softmax: bool) -> None:
    classifier = classifier_of(
        tiny_model_bytes(
            (4, 4), "GRAY", 3, dtype="float32", has_softmax=has_softmax, weight_of_nan=True
        )
    )
    with pytest.raises(EngineError, match="gave invalid scores") as failed:
        classifier.classify(frame_of(0))
    assert "edgecls verify" in failed.value.hint


def test_the_best_come_first_and_ties_go_to_the_lower_index(tmp_path: Path) -> None:
    classifier = classifier_with(Output(), tmp_path)
    best = classifier.top(np.array([0.25, 0.5, 0.25], np.float32), 5)
    assert [(p.index, p.label, p.score) for p in best] == [
        (1, "level 1", 0.5),
        (0, "level 0", 0.25),
        (2, "level 2", 0.25),
    ]


def test_what_is_no_frame_is_refused_and_the_next_frame_works() -> None:
    classifier = classifier_of(tiny_model_bytes((8, 8), "GRAY", 4))
    with pytest.raises(ShapeError, match="a frame is uint8") as refused:
        classifier.classify(np.zeros((4, 4), np.uint8))
    assert int(classifier.classify(frame_of(3, 4)).scores.argmax()) == 3
    assert refused.value.problem  # still held while the next frame was classified


def test_a_prepared_image_gives_the_raw_output() -> None:
    classifier = classifier_of(tiny_model_bytes((4, 4), "GRAY", 3))
    raw = classifier.run_image(np.full((4, 4, 1), 255, np.uint8))
    assert (raw.dtype, raw.shape, int(raw.argmax())) == (np.dtype(np.uint8), (3,), 2)


def test_labels_of_the_user_name_the_classes_of_a_foreign_model(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(tiny_model_bytes((4, 4), "GRAY", 2))
    classifier = Classifier.open(tmp_path / "m.tflite", labels=Labels(("night", "day")))
    scores = classifier.classify(frame_of(1, 2)).scores
    assert classifier.top(scores, 1)[0].label == "day"


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"hello")
    with pytest.raises(ModelFileError, match=r"m\.tflite"):
        Classifier.open(tmp_path / "m.tflite")
