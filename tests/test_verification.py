"""Golden vectors: a machine that decodes, prepares or computes otherwise is found out, and how."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.contract.card import ModelCard
from edgecls.contract.golden import GoldenVectors, fingerprint
from edgecls.contract.labels import Labels
from edgecls.contract.modelfile import load_model_file, parse_model_file, write_model_file
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import GoldenMismatchError
from edgecls.imaging.decode import decode
from edgecls.imaging.opencv import cv2
from edgecls.runtimes import installed_runtimes, open_runtime
from edgecls.verification import Verification, verify
from tests.support.edited_model import edited, set_field
from tests.support.tiny_model import TinyModel, build, tiny_golden, tiny_model_bytes, to_jpeg

PREPROCESSING = Preprocessing((12, 16), crop="stretch")
LABELS = Labels(("a", "b", "c"))
Change = Callable[[GoldenVectors], GoldenVectors]


def flatbuffer_of(dtype: Any = "uint8") -> bytes:
    return build(TinyModel((12, 16), "RGB", 3, dtype))


def verify_model(
    path: Path,
    change: Change = lambda golden: golden,
    *,
    flatbuffer: bytes = b"",
    dtype: Any = "uint8",
    preprocessing: Preprocessing = PREPROCESSING,
    runtime: str = "auto",
) -> Verification:
    """Verify a model file whose golden vectors were changed, or its network, or its card."""
    golden = change(tiny_golden(flatbuffer_of(dtype), PREPROCESSING))
    card = ModelCard(LABELS, preprocessing)
    write_model_file(path / "m.tflite", flatbuffer or flatbuffer_of(dtype), card, golden)
    return verify(Classifier.open(path / "m.tflite", runtime=runtime))


def with_outputs(shift: int) -> Change:
    """Another output: of the white frame, whose first score is 0."""

    def change(golden: GoldenVectors) -> GoldenVectors:
        outputs = golden.outputs.copy()
        outputs[2, 0] += shift
        return dataclasses.replace(golden, outputs=outputs)

    return change


def with_images(prepare: Callable[[Any], Any]) -> Change:
    """Images (and outputs, which play no part here) of a machine that prepares otherwise."""

    def change(golden: GoldenVectors) -> GoldenVectors:
        images = np.stack([prepare(decode(frame.jpeg)) for frame in golden.frames])
        return dataclasses.replace(golden, images=images)

    return change


def with_pixels(decode_otherwise: Callable[[bytes], Any]) -> Change:
    """Frames of a machine that decodes otherwise."""

    def change(golden: GoldenVectors) -> GoldenVectors:
        frames = (
            dataclasses.replace(frame, pixels_sum=fingerprint(decode_otherwise(frame.jpeg)))
            for frame in golden.frames
        )
        return dataclasses.replace(golden, frames=tuple(frames))

    return change


def resized(interpolation: int) -> Callable[[Any], Any]:
    return lambda frame: cv2.resize(frame, (16, 12), interpolation=interpolation)


def swapped(frame: Any) -> Any:
    return np.ascontiguousarray(frame[:, :, ::-1])


class TestAMachineThatAgrees:
    @pytest.mark.parametrize("runtime", installed_runtimes())
    @pytest.mark.parametrize("dtype", ["uint8", "int8"])
    def test_on_every_engine_that_is_installed(
        self, runtime: str, dtype: Any, tmp_path: Path
    ) -> None:
        found = verify_model(tmp_path, dtype=dtype, runtime=runtime)
        assert (found.vectors, found.frames, found.unit) == (4, 4, "steps")
        assert found.largest <= found.tolerance

    def test_in_float_by_scores(self, tmp_path: Path) -> None:
        found = verify_model(tmp_path, dtype="float32")
        assert (found.unit, found.tolerance) == ("score", 0.001)
        assert found.largest < 1e-6

    def test_within_one_step_on_xnnpack(self, tmp_path: Path) -> None:
        assert verify_model(tmp_path, with_outputs(1), runtime="litert").largest == 1.0

    def test_without_frames_as_in_files_of_before(self, tmp_path: Path) -> None:
        found = verify_model(tmp_path, lambda golden: dataclasses.replace(golden, frames=()))
        assert (found.vectors, found.frames) == (4, 0)


class TestTheEngine:
    def test_two_steps_are_too_many(self, tmp_path: Path) -> None:
        with pytest.raises(
            GoldenMismatchError,
            match=r"^the engine computes otherwise: golden vector 2 comes out 2 steps away .*"
            r" at most 1 is allowed \(litert ",
        ) as failed:
            verify_model(tmp_path, with_outputs(2), runtime="litert")
        assert "convert the model again" in failed.value.hint

    def test_a_difference_of_200_steps_does_not_wrap_around(self, tmp_path: Path) -> None:
        with pytest.raises(GoldenMismatchError, match="200 steps away"):
            verify_model(tmp_path, with_outputs(200))

    @pytest.mark.parametrize(
        ("path", "scale"),
        [
            pytest.param("subgraphs.0.tensors.0.quantization.scale", 0.498, id="of the input"),
            pytest.param("subgraphs.0.tensors.2.quantization.scale", None, id="of the weights"),
        ],
    )
    def test_a_shifted_scale(self, path: str, scale: float | None, tmp_path: Path) -> None:
        def shift(model: Any) -> None:
            tensors = model.subgraphs[0].tensors
            index = int(path.split(".")[3])
            new = [scale or 1.5 * float(tensors[index].quantization.scale[0])]
            set_field(path, new)(model)
            if index == 0:  # the flattened image is the same tensor in another shape
                set_field("subgraphs.0.tensors.4.quantization.scale", new)(model)

        with pytest.raises(GoldenMismatchError, match=r"^the engine computes otherwise: "):
            verify_model(tmp_path, flatbuffer=edited(flatbuffer_of(), shift))

    def test_golden_vectors_of_another_model(self, tmp_path: Path) -> None:
        def reverse_weights(model: Any) -> None:
            weights = np.frombuffer(bytes(model.buffers[2].data), np.uint8).reshape(3, -1)
            set_field("buffers.2.data", weights[::-1].flatten())(model)

        with pytest.raises(GoldenMismatchError, match=r"^the engine computes otherwise: "):
            verify_model(tmp_path, flatbuffer=edited(flatbuffer_of(), reverse_weights))

    def test_the_stand_in_engine(self, tmp_path: Path) -> None:
        with pytest.raises(GoldenMismatchError, match=r"\(fake 1\)"):
            verify_model(tmp_path, runtime="fake")


class TestPreparing:
    @pytest.mark.parametrize(
        "interpolation",
        [
            pytest.param(cv2.INTER_NEAREST, id="nearest"),
            pytest.param(cv2.INTER_LINEAR, id="linear without halving"),
            pytest.param(cv2.INTER_AREA, id="area"),
            pytest.param(cv2.INTER_CUBIC, id="cubic"),
        ],
    )
    def test_another_resize(self, interpolation: int, tmp_path: Path) -> None:
        with pytest.raises(
            GoldenMismatchError,
            match=r"^this machine prepares otherwise: golden vector 3 differs by up to \d+ of 255",
        ) as failed:
            verify_model(tmp_path, with_images(resized(interpolation)), runtime="litert")
        assert "another resize" in failed.value.hint

    def test_another_crop_in_the_card(self, tmp_path: Path) -> None:
        card = Preprocessing((12, 16), crop="center", crop_fraction=0.875)
        with pytest.raises(GoldenMismatchError, match="this machine prepares otherwise"):
            verify_model(tmp_path, preprocessing=card)

    def test_red_and_blue_swapped(self, tmp_path: Path) -> None:
        def prepare(frame: Any) -> Any:
            from edgecls.imaging.prepare import prepare

            return prepare(swapped(frame), PREPROCESSING)

        with pytest.raises(
            GoldenMismatchError,
            match="prepares otherwise: golden vector 3 differs by its colours: red and blue are",
        ):
            verify_model(tmp_path, with_images(prepare))


class TestDecoding:
    def test_another_decoder(self, tmp_path: Path) -> None:
        def decode_otherwise(jpeg: bytes) -> Any:
            return np.maximum(decode(jpeg), 1)

        with pytest.raises(
            GoldenMismatchError,
            match=r"^this machine decodes JPEG otherwise: golden vector 0 differs by up to 0 of"
            r" 255 levels .* once it is prepared",
        ) as failed:
            verify_model(tmp_path, with_pixels(decode_otherwise))
        assert "--no-verify" in failed.value.hint

    def test_red_and_blue_swapped(self, tmp_path: Path) -> None:
        with pytest.raises(
            GoldenMismatchError,
            match="decodes JPEG otherwise: golden vector 3 differs by its colours: red and blue",
        ):
            verify_model(tmp_path, with_pixels(lambda jpeg: swapped(decode(jpeg))))

    def test_another_decoder_at_reduced_size(self, tmp_path: Path) -> None:
        def change(golden: GoldenVectors) -> GoldenVectors:
            frames = (
                dataclasses.replace(frame, scaled_sum=fingerprint(image))
                for frame, image in zip(golden.frames, golden.images[::-1], strict=True)
            )
            return dataclasses.replace(golden, frames=tuple(frames))

        with pytest.raises(
            GoldenMismatchError, match=r"decodes JPEG otherwise: .* when decoded at reduced size"
        ):
            verify_model(tmp_path, change)

    def test_a_frame_that_cannot_be_read(self, tmp_path: Path) -> None:
        def change(golden: GoldenVectors) -> GoldenVectors:
            broken = dataclasses.replace(golden.frames[0], jpeg=golden.frames[0].jpeg[:-50])
            return dataclasses.replace(golden, frames=(broken, *golden.frames[1:]))

        with pytest.raises(GoldenMismatchError, match="golden vector 0 cannot be read"):
            verify_model(tmp_path, change)


def test_every_stage_that_differs_is_named(tmp_path: Path) -> None:
    def change(golden: GoldenVectors) -> GoldenVectors:
        other = to_jpeg(np.full((40, 40, 3), 200, np.uint8))
        frames = (dataclasses.replace(golden.frames[0], jpeg=other), *golden.frames[1:])
        return with_outputs(9)(dataclasses.replace(golden, frames=frames))

    with pytest.raises(GoldenMismatchError) as failed:
        verify_model(tmp_path, change, runtime="litert")
    assert failed.value.problem.startswith(
        "this machine decodes JPEG otherwise: golden vector 0 differs by up to 200 of 255"
    )
    assert "; the engine computes otherwise: golden vector 2 comes out 9 steps" in (
        failed.value.problem
    )


def test_a_model_without_golden_vectors_cannot_be_verified() -> None:
    model = parse_model_file(tiny_model_bytes(), "tiny.tflite")
    with pytest.raises(GoldenMismatchError, match="carries no golden vectors"):
        verify(Classifier(model, open_runtime(model)))


def test_frames_come_back_from_the_file(tmp_path: Path) -> None:
    golden = tiny_golden(flatbuffer_of(), PREPROCESSING)
    card = ModelCard(LABELS, PREPROCESSING)
    write_model_file(tmp_path / "m.tflite", flatbuffer_of(), card, golden)
    found = load_model_file(tmp_path / "m.tflite").golden
    assert found is not None
    assert found.frames == golden.frames
