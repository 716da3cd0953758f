"""The standard metadata put into a converted flatbuffer change nothing that an engine computes."""

from edgecls.contract.flatbuffer import Table
from edgecls.contract.structure import read_structure
from edgecls.contract.tflite_metadata import METADATA_NAME, embed_metadata, read_metadata
from edgecls_convert.quantize import FLOAT, to_flatbuffer
from tests.convert.networks import load_network


def test_every_buffer_starts_at_a_multiple_of_16_bytes(conversion):
    content = conversion.model.flatbuffer
    buffers = [buffer.raw(0) for buffer in Table.root(content).tables(4)]
    # Weights are found by their content: a long buffer stands in the file only once.
    starts = [content.index(buffer) for buffer in buffers if len(buffer) > 16]
    assert len(starts) >= 8
    assert [start % 16 for start in starts] == [0] * len(starts)


def test_tensors_and_operators_stay_as_they_were(digits_run):
    card = digits_run.load_card()
    before = to_flatbuffer(load_network(digits_run.model_path, card), FLOAT)
    after = embed_metadata(before, card.preprocessing)
    assert read_structure(after).tensors == read_structure(before).tensors
    assert read_structure(after).operators == read_structure(before).operators


def test_embedding_twice_is_embedding_once(conversion):
    content = conversion.model.flatbuffer
    assert embed_metadata(content, conversion.model.card.preprocessing) == content


def test_standard_readers_find_the_labels(conversion):
    metadata = read_metadata(conversion.model.structure.metadata[METADATA_NAME])
    assert metadata.labels_file == "labels.txt"
