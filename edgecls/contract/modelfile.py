"""The model file: a .tflite flatbuffer with labels, card and golden vectors appended as a ZIP."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.contract.archive import FIXED_DATE, UNREADABLE_ZIP, TooLargeError, read_archive
from edgecls.contract.card import ModelCard
from edgecls.contract.files import read_regular_file, write_atomically
from edgecls.contract.flatbuffer import damaged
from edgecls.contract.foreign import Normalization, derive_card, describe_stranger
from edgecls.contract.golden import GoldenVectors
from edgecls.contract.labels import Labels
from edgecls.contract.structure import Structure, Tensor, read_structure
from edgecls.contract.tflite_metadata import LABELS_FILE, MARK_NAME, embed_metadata
from edgecls.errors import (
    DamagedModelError,
    EdgeclsError,
    InvalidValueError,
    ModelFileError,
    NotAClassifierError,
)

CARD_FILE: Final = "card.json"
GOLDEN_FILE: Final = "golden.npz"
MAX_MODEL_BYTES: Final = 512 << 20
MAX_ATTACHED_BYTES: Final = 80 << 20
# The largest public set of classes, ImageNet-21k, has 21,843.
MAX_CLASSES: Final = 100_000
_IMAGE_DTYPES: Final = ("uint8", "int8", "float32")
_ODD_CARD_HINT: Final = "its card is damaged or edited by hand; run 'edgecls convert' again"


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile:
    """A model that has passed every check that needs no engine.

    Args:
        name: Where it came from, for messages.
        flatbuffer: The bytes an engine runs, without what is appended.
        structure: Its tensors and operators.
        card: Its promises; derived from the tensors for a model that carries none.
        golden: Its golden vectors; None for a model without.
        normalization: What a float input wants done to pixels; None for raw bytes.
        assumptions: What the card could not be known and was assumed, in words; empty for a
            model that edgecls made.
    """

    name: str
    flatbuffer: bytes
    structure: Structure
    card: ModelCard
    golden: GoldenVectors | None = None
    normalization: Normalization | None = None
    assumptions: tuple[str, ...] = ()

    @property
    def input(self) -> Tensor:
        """The image tensor, (1, height, width, depth)."""
        return self.structure.tensors[self.structure.inputs[0]]

    @property
    def output(self) -> Tensor:
        """The score tensor, one value a class."""
        return self.structure.tensors[self.structure.outputs[0]]


def load_model_file(path: Path, labels: Labels | None = None) -> ModelFile:
    """Read and check a model file.

    Args:
        path: The file; read once, so that overwriting it later changes nothing.
        labels: Names for a model that carries none; for one that does they must agree.

    Raises:
        DamagedModelError: Cut off, changed, or its parts do not belong together.
        NotAClassifierError: Another kind of model.
        ModelFileError: Not a model, or not readable; the message says what it is.
    """
    content = read_regular_file(path, MAX_MODEL_BYTES, ModelFileError)
    try:
        return parse_model_file(content, str(path), labels)
    except EdgeclsError as wrong:
        problem = f"{str(path)!r} cannot be used: {wrong.problem}"
        kind = type(wrong) if isinstance(wrong, ModelFileError) else ModelFileError
        raise kind(problem, hint=wrong.hint) from wrong


def parse_model_file(content: bytes, name: str, labels: Labels | None = None) -> ModelFile:
    """Check the bytes of a model file; see `load_model_file`."""
    if stranger := describe_stranger(content):
        raise ModelFileError(stranger, hint="'edgecls convert' writes .tflite files")
    attached, length = _read_attached(content)
    flatbuffer = content[:length]
    structure = read_structure(flatbuffer)
    _check_is_classifier(structure)
    if CARD_FILE not in attached:
        if MARK_NAME in structure.metadata:
            raise damaged(f"it ends after {len(content)} bytes, before its card")
        card, normalization, assumptions = derive_card(structure, attached, labels)
        return ModelFile(name, flatbuffer, structure, card, None, normalization, tuple(assumptions))
    card = _read_card(attached, flatbuffer)
    _check_labels(card, attached, labels)
    model = ModelFile(name, flatbuffer, structure, card, _read_golden(card, attached))
    _check_agreement(model)
    return model


def write_model_file(
    path: Path, flatbuffer: bytes, card: ModelCard, golden: GoldenVectors | None = None
) -> ModelFile:
    """Write a model file, atomically; the same input gives the same bytes.

    Args:
        path: The final name; it holds the old file or the whole new one, never half.
        flatbuffer: As the converter wrote it; standard metadata is put into it.
        card: Without hashes; they are filled in.
        golden: Made with this very flatbuffer.

    Returns:
        The file as a board will read it: it has been read back and checked.

    Raises:
        EdgeclsError: The parts do not belong together, or the file cannot be written.
    """
    content = to_bytes(flatbuffer, card, golden)
    model = parse_model_file(content, str(path))
    write_atomically(path, content)
    return model


def to_bytes(flatbuffer: bytes, card: ModelCard, golden: GoldenVectors | None) -> bytes:
    """The bytes of a model file; see `write_model_file`."""
    flatbuffer = embed_metadata(flatbuffer, card.preprocessing)
    npz = golden.to_npz() if golden else b""
    card = dataclasses.replace(
        card, sha256=_sha256(flatbuffer), golden_sha256=_sha256(npz) if npz else ""
    )
    parts = {LABELS_FILE: card.labels.to_text().encode(), CARD_FILE: card.to_json().encode()}
    if npz:
        parts[GOLDEN_FILE] = npz
    whole = io.BytesIO()
    whole.write(flatbuffer)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_STORED) as archive:
        for part, content in parts.items():
            archive.writestr(zipfile.ZipInfo(part, FIXED_DATE), content)
    return whole.getvalue()


def _read_attached(content: bytes) -> tuple[dict[str, bytes], int]:
    """The appended files by name, and where the flatbuffer before them ends."""
    try:
        return read_archive(content, MAX_ATTACHED_BYTES)
    except TooLargeError as wrong:
        raise damaged(f"its attachments claim {wrong}") from wrong
    except zipfile.BadZipFile as wrong:
        if "CRC" in str(wrong) or "method" in str(wrong):
            raise damaged(f"an attachment has changed ({wrong})") from wrong
        return {}, len(content)  # most .tflite files of others have nothing attached
    except UNREADABLE_ZIP as wrong:
        raise damaged(f"its attachments cannot be read ({wrong})") from wrong


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_card(attached: dict[str, bytes], flatbuffer: bytes) -> ModelCard:
    try:
        card = ModelCard.from_json(attached[CARD_FILE])
    except InvalidValueError as wrong:
        raise InvalidValueError(wrong.problem, hint=wrong.hint or _ODD_CARD_HINT) from wrong
    if _sha256(flatbuffer) != card.sha256:
        raise DamagedModelError(
            "its weights are not the ones its card was written for (SHA-256"
            f" {_sha256(flatbuffer)[:12]}, the card says {card.sha256[:12]})",
            hint="a bit flipped or another model was put in; copy or convert it again",
        )
    return card


def _check_labels(card: ModelCard, attached: dict[str, bytes], given: Labels | None) -> None:
    text = attached.get(LABELS_FILE, b"")
    if text != card.labels.to_text().encode():
        raise DamagedModelError(
            f"its {LABELS_FILE} is not the one its card was written for",
            hint="labels belong to the weights; run 'edgecls convert' again",
        )
    if given is not None and given != card.labels:
        raise InvalidValueError(
            "the labels given are not the ones in its card"
            f" ({len(given)} from {given[0]!r}, the card has"
            f" {len(card.labels)} from {card.labels[0]!r})",
            hint="leave --labels out: this model carries its own",
        )


def _read_golden(card: ModelCard, attached: dict[str, bytes]) -> GoldenVectors | None:
    npz = attached.get(GOLDEN_FILE, b"")
    if (_sha256(npz) if npz else "") != card.golden_sha256:
        raise DamagedModelError(
            "its golden vectors are not the ones its card was written for",
            hint="run 'edgecls convert' again",
        )
    return GoldenVectors.from_npz(npz) if npz else None


def _check_is_classifier(structure: Structure) -> None:
    if len(structure.inputs) != 1 or len(structure.outputs) != 1:
        raise NotAClassifierError(
            f"it has {len(structure.inputs)} inputs and {len(structure.outputs)} outputs,"
            " wanted one image and one list of scores",
            hint="detection and segmentation models are not classifiers",
        )
    image = structure.tensors[structure.inputs[0]]
    shape = image.shape
    if len(shape) != 4 or shape[0] != 1 or shape[3] not in (1, 3):
        raise NotAClassifierError(
            f"its input has the shape {list(shape)}, wanted [1, height, width, 1 or 3]",
            hint="export it with a fixed batch of 1, channels last",
        )
    scores = structure.tensors[structure.outputs[0]]
    if not scores.shape or scores.elements != scores.shape[-1]:
        raise NotAClassifierError(
            f"its output has the shape {list(scores.shape)}, wanted one score a class",
            hint="detection and segmentation models are not classifiers",
        )
    if scores.elements > MAX_CLASSES:
        raise NotAClassifierError(
            f"it gives {scores.elements} scores, at most {MAX_CLASSES} classes are supported"
        )
    for what, tensor in (("input", image), ("output", scores)):
        if tensor.dtype not in _IMAGE_DTYPES:
            raise NotAClassifierError(
                f"its {what} is {tensor.dtype}, wanted uint8, int8 or float32"
            )
        if tensor.dtype != "float32" and tensor.to_quant_params() is None:
            raise NotAClassifierError(f"its {what} is {tensor.dtype} without one scale")


def _check_agreement(model: ModelFile) -> None:
    card, shape = model.card, (1, *model.card.preprocessing.shape)
    if model.input.shape != shape:
        raise ModelFileError(
            f"it takes {list(model.input.shape)} but its card says {list(shape)}",
            hint="the card comes from another export; run 'edgecls convert' again",
        )
    if model.output.elements != len(card.labels):
        raise ModelFileError(
            f"it gives {model.output.elements} scores but its card has {len(card.labels)} labels",
            hint="the card comes from another export; run 'edgecls convert' again",
        )
    golden = model.golden
    if golden is not None and (
        golden.images.shape[1:] != shape[1:]
        or golden.outputs.shape[1] != model.output.elements
        or golden.outputs.dtype.name != model.output.dtype
    ):
        raise ModelFileError(
            f"its golden vectors go from {golden.images.shape[1:]} to {golden.outputs.shape[1]}"
            f" {golden.outputs.dtype.name} scores, the model does not",
            hint="run 'edgecls convert' again",
        )
