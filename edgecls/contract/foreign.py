"""Files of others: what a model without a card promises, and what a file that is no model is."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.structure import Structure
from edgecls.contract.tflite_metadata import METADATA_NAME, StandardMetadata, read_metadata
from edgecls.errors import DamagedModelError, InvalidValueError, NotAClassifierError

# The usual evaluation crop of ImageNet classifiers: resize to 256, keep the middle 224.
FOREIGN_CROP_FRACTION = 0.875

_MAX_NAMES_BYTES = 4 << 20
# RecursionError and MemoryError: nesting without end; OverflowError: a class numbered 1e999.
_UNREADABLE = (
    ValueError,
    SyntaxError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
)
_MAGICS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WebP picture or a video"),
    (b"\x89HDF", "a Keras .h5 file"),
    (b"\x7fELF", "a program"),
    (b"\x1f\x8b", "gzipped; unpack it first"),
    (b"%PDF", "a PDF document"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run 'git lfs pull'"),
)


@dataclass(frozen=True, slots=True)
class Normalization:
    """What a float input wants: (pixel - mean) / std, by channel; pixels are 0-255."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if not all(self.std):
            raise InvalidValueError(f"the metadata divide pixels by {list(self.std)}")


def describe_stranger(content: bytes) -> str:
    """What a file that is clearly no .tflite model is, in words; empty for one that may be."""
    if not content:
        return "the file is empty"
    if content[4:8] == b"TFL3":
        return ""
    for magic, what in _MAGICS:
        if content.startswith(magic):
            return f"it is {what}"
    head = content[:1024].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, probably a download page saved under the model's name"
    if content.startswith(b"PK\x03\x04"):
        return "it is " + _describe_zip(content)
    if b"onnx" in content[:256].lower() or content[:2] in (b"\x08\x07", b"\x08\x08", b"\x08\x09"):
        return "it looks like an ONNX model"
    if b"TFL3" in content[:64]:
        return "its bytes are shifted: something was put before or changed in its first line"
    return "it is not a .tflite file (the mark TFL3 is missing)"


def _describe_zip(content: bytes) -> str:
    if b"config.json" in content[:4096] or b"model.weights.h5" in content:
        return "a .keras model; convert it first: edgecls convert FILE"
    return "a ZIP archive"


def derive_card(
    structure: Structure, attached: Mapping[str, bytes], labels: Labels | None
) -> tuple[ModelCard, Normalization | None, list[str]]:
    """The card of a model that carries none.

    Args:
        structure: The model's own tensors.
        attached: Files in the ZIP at its end, by name.
        labels: As given by the user.

    Returns:
        The card, what a float input wants, and every assumption made, in words.

    Raises:
        NotAClassifierError: The number of labels is not the number of scores.
    """
    image = structure.tensors[structure.inputs[0]]
    classes = structure.tensors[structure.outputs[0]].elements
    metadata = read_metadata(structure.metadata.get(METADATA_NAME, b""))
    names, labels_origin = _find_labels(classes, metadata, attached, labels)
    if len(names) != classes:
        raise NotAClassifierError(
            f"it gives {classes} scores but there are {len(names)} labels ({labels_origin})",
            hint="give the label file that belongs to this model with --labels",
        )
    depth = image.shape[3]
    preprocessing = Preprocessing(
        size=(image.shape[1], image.shape[2]),
        channels="RGB" if depth == 3 else "GRAY",
        crop="center",
        crop_fraction=FOREIGN_CROP_FRACTION,
    )
    normalization = _find_normalization(image.dtype, depth, metadata)
    assumptions = [
        f"labels: {labels_origin}",
        f"picture: {preprocessing.channels}, centre crop of {FOREIGN_CROP_FRACTION},"
        f" {image.shape[2]}x{image.shape[1]}",
    ]
    if image.dtype == "float32":
        assumptions.append(
            f"float input: (pixel - {list(normalization.mean)}) / {list(normalization.std)}"
            if normalization
            else "float input: raw pixels, 0 to 255"
        )
    return ModelCard(names, preprocessing), normalization, assumptions


def _find_labels(
    classes: int,
    metadata: StandardMetadata | None,
    attached: Mapping[str, bytes],
    given: Labels | None,
) -> tuple[Labels, str]:
    if given is not None:
        return given, "as given"
    if metadata and metadata.labels_file:
        if metadata.labels_file not in attached:
            raise DamagedModelError(
                f"it ends before its labels ({metadata.labels_file!r:.60})",
                hint="copy it again, or give the label file with --labels",
            )
        return Labels.from_text(attached[metadata.labels_file]), "from the TFLite metadata"
    for name in ("metadata.json", "temp_meta.txt"):  # Ultralytics, newer and older
        if name in attached and (found := _ultralytics_names(attached[name])):
            return found, f"from the attached {name}"
    return Labels.numbered(classes), "none found, so class numbers are shown (see --labels)"


def _ultralytics_names(content: bytes) -> Labels | None:
    text = content[:_MAX_NAMES_BYTES].decode("utf-8", "replace")
    try:
        value = json.loads(text) if text.startswith('{"') else ast.literal_eval(text)
        names = {int(index): str(name) for index, name in value["names"].items()}
    except _UNREADABLE:
        return None
    if sorted(names) != list(range(len(names))):
        return None
    return Labels(tuple(names[index] for index in range(len(names))))


def _find_normalization(
    dtype: str, depth: int, metadata: StandardMetadata | None
) -> Normalization | None:
    if dtype != "float32" or metadata is None or not metadata.mean:
        return None
    if len(metadata.mean) not in (1, depth) or len(metadata.std) != len(metadata.mean):
        return None
    return Normalization(metadata.mean, metadata.std)
