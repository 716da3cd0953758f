"""Standard TFLite metadata, so that MediaPipe and Android read our labels and we read theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from edgecls.contract.flatbuffer import Table
from edgecls.contract.preprocessing import Preprocessing

METADATA_NAME: Final = "TFLITE_METADATA"
# Says that a card follows the flatbuffer: where it does not, the file was cut off.
MARK_NAME: Final = "EDGECLS_CARD"
LABELS_FILE: Final = "labels.txt"

# Unions and enums of metadata_schema.fbs (TensorFlow Lite Support 0.4).
_IMAGE_PROPERTIES, _FEATURE_PROPERTIES = 2, 1
_RGB, _GRAYSCALE = 1, 2
_NORMALIZATION = 1
_TENSOR_AXIS_LABELS = 2


@dataclass(frozen=True, slots=True)
class StandardMetadata:
    """The part of TFLITE_METADATA that a classifier needs.

    Args:
        labels_file: Name of the file with the labels in the appended ZIP; empty when absent.
        mean: Per channel, subtracted from a pixel (0-255) for a float input; empty when absent.
        std: Per channel, the divisor after that.
    """

    labels_file: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


def read_metadata(content: bytes) -> StandardMetadata | None:
    """Read a TFLITE_METADATA buffer; None when it is not one.

    Raises:
        DamagedModelError: An offset in it points out of it.
    """
    if content[4:8] != b"M001":
        return None
    graphs = Table.root(content).tables(3)
    inputs = graphs[0].tables(2) if graphs else []
    outputs = graphs[0].tables(3) if graphs else []
    labels = [
        file.text(0)
        for output in outputs[:1]
        for file in output.tables(6)
        if file.number(2, "b") == _TENSOR_AXIS_LABELS
    ]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    for unit in inputs[0].tables(4) if inputs else []:
        if unit.number(0, "B") == _NORMALIZATION and (options := unit.table(1)) is not None:
            mean, std = tuple(options.numbers(0, "<f4")), tuple(options.numbers(1, "<f4"))
    return StandardMetadata(labels[0] if labels else "", mean, std)


def embed_metadata(flatbuffer: bytes, preprocessing: Preprocessing) -> bytes:
    """A copy of a .tflite flatbuffer with TFLITE_METADATA and the mark of a card in it.

    Needs the packages `flatbuffers` and `ai-edge-litert` (for the schema), as converting does.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    class AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # the schema has no types
        def Pack(self, builder: Any) -> Any:
            return _pack_aligned(builder, schema, bytes(self.data))

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))
    model.metadata = model.metadata or []
    entries = {entry.name: entry for entry in model.metadata}
    for name, content in ((METADATA_NAME, _build(preprocessing)), (MARK_NAME, b"1")):
        entry = entries.get(name.encode())
        if entry is None:
            entry = schema.MetadataT()
            entry.name = name
            entry.buffer = len(model.buffers)
            model.metadata.append(entry)
            model.buffers.append(schema.BufferT())
        # What is there already is replaced, so that embedding twice changes nothing.
        model.buffers[entry.buffer].data = content
    for buffer in model.buffers:
        if buffer.data is not None:
            buffer.__class__ = AlignedBuffer
    builder = flatbuffers.Builder(len(flatbuffer) + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _pack_aligned(builder: Any, schema: Any, content: bytes) -> Any:
    # The schema asks for 16-byte alignment (`force_align`), which Python's packer forgets.
    builder.StartVector(1, len(content), 16)
    builder.head -= len(content)
    builder.Bytes[builder.head : builder.head + len(content)] = content
    vector = builder.EndVector()
    schema.BufferStart(builder)
    schema.BufferAddData(builder, vector)
    return schema.BufferEnd(builder)


def _build(preprocessing: Preprocessing) -> bytes:
    import flatbuffers

    write = _Writer(flatbuffers.Builder(512))
    color = _RGB if preprocessing.channels == "RGB" else _GRAYSCALE
    image = write.table({0: ("int8", color)})
    input_content = write.table({0: ("uint8", _IMAGE_PROPERTIES), 1: image})
    # The image goes in as its bytes: normalisation is the network's first layer.
    options = write.table({0: write.floats([0.0]), 1: write.floats([1.0])})
    unit = write.table({0: ("uint8", _NORMALIZATION), 1: options})
    image_range = write.table({0: write.floats([255.0]), 1: write.floats([0.0])})
    image_tensor = write.table(
        {
            0: write.text("image"),
            1: write.text("The picture to classify."),
            3: input_content,
            4: write.tables([unit]),
            5: image_range,
        }
    )
    labels = write.table(
        {
            0: write.text(LABELS_FILE),
            1: write.text("One label a line, in the order of the scores."),
            2: ("int8", _TENSOR_AXIS_LABELS),
        }
    )
    feature = write.table({0: ("uint8", _FEATURE_PROPERTIES), 1: write.table({})})
    score_range = write.table({0: write.floats([1.0]), 1: write.floats([0.0])})
    score_tensor = write.table(
        {
            0: write.text("score"),
            1: write.text("How sure the model is of each label, 0 to 1."),
            3: feature,
            5: score_range,
            6: write.tables([labels]),
        }
    )
    graph = write.table({2: write.tables([image_tensor]), 3: write.tables([score_tensor])})
    root = write.table(
        {
            0: write.text("edgecls image classifier"),
            3: write.tables([graph]),
            7: write.text("1.0.0"),
        }
    )
    return write.finish(root, b"M001")


class _Writer:
    """Flatbuffer tables written from `{field: offset or (kind, scalar)}`."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def text(self, value: str) -> int:
        return int(self._builder.CreateString(value))

    def floats(self, values: list[float]) -> int:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependFloat32(value)
        return int(self._builder.EndVector())

    def tables(self, offsets: list[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def table(self, fields: dict[int, int | tuple[str, int]]) -> int:
        # A union's kind and its table belong to neighbouring fields: `image` above is a table
        # whose offset was written before, a scalar is written in place.
        self._builder.StartObject(max(fields, default=-1) + 1)
        for field, value in fields.items():
            if isinstance(value, int):
                self._builder.PrependUOffsetTRelativeSlot(field, value, 0)
            elif value[0] == "int8":
                self._builder.PrependInt8Slot(field, value[1], 0)
            else:
                self._builder.PrependUint8Slot(field, value[1], 0)
        return int(self._builder.EndObject())

    def finish(self, root: int, mark: bytes) -> bytes:
        self._builder.Finish(root, mark)
        return bytes(self._builder.Output())
