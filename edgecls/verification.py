"""Does this machine decode, prepare and compute what the machine that made a model did?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.classifier import Classifier
from edgecls.contract.golden import GoldenFrame, GoldenVectors, fingerprint
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import FrameFailedError, GoldenMismatchError, PictureError
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.prepare import Image, prepare
from edgecls.imaging.scaled import decode_scaled

# Golden vectors are made with XNNPACK, whose kernels round differently on x86-64 and Arm: by one
# step of the 8-bit output. TFLite's older kernels, the only ones that tflite-runtime has for
# integers, round in other places: up to 31 steps over 500 runs of five models. The Edge TPU's own
# rounding could not be measured; it gets the same room.
TOLERANCE_STEPS: Final = {"tflite_runtime": 48.0, "edgetpu": 48.0}
_XNNPACK_STEPS: Final = 1.0
# A float engine's kernels differ between machines by rounding only.
FLOAT_TOLERANCE: Final = 1e-3

DECODE, PREPARE, ENGINE = "decode", "prepare", "engine"
_SWAPPED: Final = "its colours: red and blue are swapped"
_HINTS: Final = {
    DECODE: "its OpenCV has another JPEG decoder: pip install --force-reinstall opencv-python;"
    " 'edgecls camera --no-verify' runs all the same, and a level or two rarely matter",
    PREPARE: "another resize or order of colours is at work here, or the card was edited:"
    " update edgecls and OpenCV, or convert the model again",
    ENGINE: "this engine computes something else: update it, or convert the model again",
}


@dataclass(frozen=True, slots=True)
class Verification:
    """What was reproduced.

    Args:
        vectors: How many golden vectors there are.
        frames: How many of them have a frame, so that decoding and preparing were checked.
        scaled: How many of these were decoded at reduced size, too.
        largest: The largest difference between an output and what it should be.
        tolerance: The largest that is allowed.
        unit: Of both: `steps` of a quantized output, or `score`.
    """

    vectors: int
    frames: int
    scaled: int
    largest: float
    tolerance: float
    unit: str


@dataclass(frozen=True, slots=True)
class _Difference:
    """One golden vector that comes out otherwise, in which of the three stages, in words."""

    stage: str
    words: str


def verify(classifier: Classifier) -> Verification:
    """Replay the model's golden vectors here and compare with what they gave at conversion.

    Decoding and preparing must give the same bytes; the engine is checked with the images of the
    golden vectors, so it is blamed for nothing that went wrong before it.

    Raises:
        GoldenMismatchError: The model has none, or this machine decodes, prepares or computes
            otherwise; it says which of the three, and by how much.
    """
    golden = classifier.model.golden
    if golden is None:
        raise GoldenMismatchError(
            f"{classifier.model.name!r} carries no golden vectors",
            hint="models made by 'edgecls convert' do",
        )
    differences = list(_pixel_differences(golden, classifier.model.card.preprocessing))
    largest, tolerance, unit = 0.0, *_tolerance(classifier, golden)
    for number, image in enumerate(golden.images):
        try:
            found = classifier.run_image(image).astype(np.float64)
        except FrameFailedError as wrong:
            words = f"golden vector {number} cannot be computed: {wrong.problem}"
            differences.append(_Difference(ENGINE, words))
            continue
        distance = float(np.abs(found - golden.outputs[number].astype(np.float64)).max())
        if not distance <= tolerance:
            differences.append(
                _Difference(
                    ENGINE,
                    f"golden vector {number} comes out {distance:g} {unit} away from what it gave"
                    f" at conversion, at most {tolerance:g} is allowed"
                    f" ({classifier.runtime.name} {classifier.runtime.version})",
                )
            )
        largest = max(largest, distance)
    _refuse(differences)
    scaled = sum(bool(frame.scaled_sum) for frame in golden.frames)
    return Verification(len(golden), len(golden.frames), scaled, largest, tolerance, unit)


def prepare_scaled(jpeg: bytes, preprocessing: Preprocessing) -> Image:
    """The image of a JPEG that is decoded at reduced size, as the camera loop does it."""
    return prepare(decode_scaled(jpeg, preprocessing), preprocessing)


def _tolerance(classifier: Classifier, golden: GoldenVectors) -> tuple[float, str]:
    steps = TOLERANCE_STEPS.get(classifier.runtime.name, _XNNPACK_STEPS)
    if golden.outputs.dtype != np.float32:
        return steps, "steps"
    tensors = classifier.model.structure.tensors
    is_quantized_inside = any(tensor.dtype in ("int8", "uint8") for tensor in tensors)
    return (steps / 256 if is_quantized_inside else FLOAT_TOLERANCE), "score"


def _refuse(differences: list[_Difference]) -> None:
    """Name each stage that differs, with the first golden vector that shows it."""
    first = {difference.stage: difference for difference in reversed(differences)}
    if not first:
        return
    beginnings = {
        DECODE: "this machine decodes JPEG otherwise: ",
        PREPARE: "this machine prepares otherwise: ",
        ENGINE: "the engine computes otherwise: ",
    }
    stages = [stage for stage in beginnings if stage in first]
    raise GoldenMismatchError(
        "; ".join(beginnings[stage] + first[stage].words for stage in stages),
        hint=_HINTS[stages[0]],
    )


def _pixel_differences(
    golden: GoldenVectors, preprocessing: Preprocessing
) -> Iterator[_Difference]:
    for number, (frame, image) in enumerate(zip(golden.frames, golden.images, strict=False)):
        try:
            found = _pixel_difference(frame, image, preprocessing)
        except PictureError as wrong:
            yield _Difference(DECODE, f"golden vector {number} cannot be read: {wrong.problem}")
            continue
        if found:
            stage, words = found
            yield _Difference(stage, f"golden vector {number} differs by {words}")


def _pixel_difference(
    frame: GoldenFrame, image: Image, preprocessing: Preprocessing
) -> tuple[str, str] | None:
    """The first stage in which a frame becomes something else than at conversion, and by what."""
    pixels = decode(frame.jpeg)
    found = prepare(pixels, preprocessing)
    if fingerprint(pixels) != frame.pixels_sum:
        return DECODE, _describe_decoded(pixels, frame, found, image)
    if not np.array_equal(found, image):
        swapped = prepare(pixels[:, :, ::-1], preprocessing)
        return PREPARE, _describe(found, image, swapped)
    if frame.scaled_sum:
        scaled = prepare_scaled(frame.jpeg, preprocessing)
        if fingerprint(scaled) != frame.scaled_sum:
            return DECODE, f"{_distance(scaled, image)} when decoded at reduced size"
    return None


def _describe_decoded(pixels: Frame, frame: GoldenFrame, found: Image, wanted: Image) -> str:
    if fingerprint(pixels[:, :, ::-1]) == frame.pixels_sum:
        return _SWAPPED
    return f"{_distance(found, wanted)} once it is prepared"


def _describe(found: Image, wanted: Image, swapped: Image) -> str:
    if np.array_equal(swapped, wanted):
        return _SWAPPED
    return _distance(found, wanted)


def _distance(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> str:
    distances = np.abs(found.astype(np.int16) - wanted.astype(np.int16))
    return f"up to {distances.max()} of 255 levels ({distances.mean():.2g} on average)"
