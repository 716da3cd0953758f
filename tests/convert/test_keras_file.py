"""A hostile `.keras` file is refused before anything is made of it: `contract.keras_file`."""

from __future__ import annotations

import copy
import io
import json
import os
import random
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from edgecls.contract.keras_file import check_config, check_weights, load_keras_model, read_archive
from edgecls.errors import ModelFileError
from edgecls_convert.formats import refuse_other_formats
from edgecls_convert.network import load_model
from edgecls_convert.quiet import import_tensorflow

Members = dict[str, bytes]
MEGABYTES = 1 << 20


@pytest.fixture(scope="session")
def sound(digits_run) -> Members:
    """The members of a sound file."""
    with zipfile.ZipFile(digits_run.model_path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, members: Members, **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def with_layers(members: Members, *layers: dict[str, Any]) -> Members:
    """The weights of one network under the configuration of another."""
    image = part("InputLayer", batch_shape=[None, 28, 28, 1], dtype="float32", name="image")
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [image, *layers]},
        "registered_name": None,
        "build_config": {"input_shape": [None, 28, 28, 1]},
    }
    return {**members, "config.json": json.dumps(config).encode()}


def part(name: str, module: str = "keras.layers", /, **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def constant(value: float) -> dict[str, Any]:
    return part("Constant", "keras.initializers", value=value)


FLAT = part("Flatten", name="flat")


def test_a_sound_file_is_loaded(digits_run):
    _, keras = import_tensorflow()
    trained = keras.models.load_model(digits_run.model_path)
    loaded = load_keras_model(keras, digits_run.model_path)
    for one, other in zip(loaded.get_weights(), trained.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_sound_file_that_another_tool_packed_is_loaded(sound, tmp_path):
    path = write(tmp_path / "m.keras", sound, compression=zipfile.ZIP_DEFLATED)
    assert load_model(path).output_shape == (None, 10)


def test_models_within_models_and_operations_are_loaded(tmp_path):
    _, keras = import_tensorflow()
    image = keras.Input((16, 16, 3))
    inner = keras.Sequential([keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()])
    outer = keras.Sequential([keras.Input((16, 16, 3)), inner, keras.layers.Dropout(0.2)])
    seen = keras.ops.mean(outer(image / 255.0), axis=(1, 2))
    scores = keras.layers.Dense(3, activation="softmax")(seen)
    keras.Model(image, scores).save(tmp_path / "m.keras")
    assert load_model(tmp_path / "m.keras").output_shape == (None, 3)


@pytest.mark.fault(159)
@pytest.mark.parametrize(
    ("layers", "told"),
    [
        pytest.param((FLAT, part("Dense", name="d", units=2 * 10**9)), "values", id="wide"),
        pytest.param((FLAT, part("Dense", name="d", units=2 * 10**7)), "weights", id="less wide"),
        pytest.param(
            (FLAT, part("Dense", name="d", units=10**6, kernel_initializer=constant(0.5))),
            "weights",
            id="filled with a constant",
        ),
        pytest.param(
            (part("Conv2D", name="c", filters=10**5, kernel_size=[27, 27]),),
            "weights",
            id="filters",
        ),
        pytest.param(
            (FLAT, part("Embedding", name="e", input_dim=10**8, output_dim=100)),
            "weights",
            id="an embedding",
        ),
        pytest.param(
            (part("ZeroPadding2D", name="z", padding=[[10**6, 10**6]] * 2),), "values", id="padding"
        ),
        pytest.param(
            (part("UpSampling2D", name="u", size=[10**5] * 2),), "values", id="upsampling"
        ),
        pytest.param((FLAT, part("RepeatVector", name="r", n=10**9)), "values", id="repeated"),
        pytest.param(
            (
                part("Reshape", name="r", target_shape=[28, 28]),
                part("LSTM", name="l", units=10**5),
            ),
            "weights",
            id="recurrent",
        ),
    ],
)
def test_a_network_that_asks_for_more_than_the_file_holds_takes_no_memory(
    sound, tmp_path, layers, told
):
    path = write(tmp_path / "m.keras", with_layers(sound, *layers))
    import_tensorflow()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelFileError, match=told):
        load_model(path)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 300 * 1024


@pytest.mark.fault(160)
@pytest.mark.parametrize(
    "found",
    [
        part("system", "os", command="touch seen"),
        part("exec", "builtins", x=1),
        part("get_file", "keras.utils", fname="x", origin="http://127.0.0.1:9/x"),
        part("load_model", "keras.saving", filepath="x"),
        part("enable_unsafe_deserialization", "keras.config"),
        part("clone_model", "keras.models"),
        part("Mine", "__main__"),
        part("TFSMLayer", filepath="x", name="t"),
        part("TorchModuleWrapper", name="t"),
        part("StringLookup", vocabulary="/etc/passwd", name="s"),
        part("TextVectorization", vocabulary="/etc/passwd", name="s"),
        part("Lambda", function=part("function", "builtins"), name="l"),
        part("Dense", units=2, kernel_initializer=part("Popen", "subprocess", args=["true"])),
        part("Dense", units=2, kernel_regularizer=part("rmtree", "shutil", path="x")),
        part("Activation", activation=part("function", "os")),
    ],
    ids=lambda found: str(found["class_name"]),
)
def test_what_is_not_of_a_network_is_neither_imported_nor_run(sound, tmp_path, found):
    path = write(tmp_path / "m.keras", with_layers(sound, FLAT, found))
    with pytest.raises(ModelFileError, match=r"has a|is built of"):
        load_model(path)


def test_how_a_model_was_trained_is_not_looked_at(sound):
    config = json.loads(sound["config.json"])
    config["compile_config"] = {"loss": part("function", "builtins")}
    check_config(Path("m.keras"), config)


@pytest.mark.parametrize("config", [{}, {"class_name": 3}, {"class_name": "A", "module": []}])
def test_a_configuration_of_nothing_is_refused(config):
    with pytest.raises(ModelFileError, match="none of a network"):
        check_config(Path("m.keras"), config)


def directory_entry(content: bytes, name: bytes) -> int:
    return content.index(name, content.index(b"PK\1\2")) - 46


@pytest.mark.fault(161)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(lambda m: {**m, "../../x": b""}, "holds '../../x'", id="another file"),
        pytest.param(lambda m: {**m, "assets/x": b""}, "holds 'assets/x'", id="an asset"),
        pytest.param(lambda m: {"config.json": m["config.json"]}, "holds no model", id="a part"),
        pytest.param(lambda m: {**m, "config.json": b"[" * 10**5}, "too deep", id="deep"),
        pytest.param(lambda m: {**m, "config.json": b"null"}, "an object", id="nothing"),
        pytest.param(lambda m: {**m, "model.weights.h5": b"x"}, "damaged weights", id="no HDF5"),
    ],
)
def test_a_zip_of_something_else_is_refused(sound, tmp_path, change, told):
    with pytest.raises(ModelFileError, match=told):
        load_model(write(tmp_path / "m.keras", change(sound)))


@pytest.mark.fault(161)
def test_two_members_of_one_name_are_refused(sound, tmp_path):
    path = write(tmp_path / "m.keras", sound)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", b"{}")
    with pytest.raises(ModelFileError, match="two files of one name"):
        read_archive(path)


@pytest.mark.fault(161)
@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_what_would_grow_without_measure_is_refused_before_it_does(sound, tmp_path, name):
    bomb = {**sound, name: bytes(300 * MEGABYTES)}
    path = write(tmp_path / "m.keras", bomb, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFileError, match="would grow to 314,572,800"):
        read_archive(path)


@pytest.mark.fault(161)
@pytest.mark.parametrize(
    ("marker", "offset", "byte"),
    [
        pytest.param(b"PK\1\2", 10, 99, id="an unknown compression"),
        pytest.param(b"PK\1\2", 8, 1, id="encrypted"),
        pytest.param(b"PK\1\2", 6, 169, id="of a version to come"),
        pytest.param(b"PK\5\6", 16, 255, id="a directory elsewhere"),
        pytest.param(b"PK\5\6", 19, 127, id="a directory far outside"),
        pytest.param(b"PK\3\4", 26, 200, id="a name that is another one"),
    ],
)
def test_a_directory_that_lies_is_refused(sound, tmp_path, marker, offset, byte):
    path = write(tmp_path / "m.keras", sound)
    content = bytearray(path.read_bytes())
    content[content.index(marker) + offset] = byte
    path.write_bytes(content)
    with pytest.raises(ModelFileError):
        read_archive(path)


def test_a_pipe_of_that_name_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "m.keras")
    with pytest.raises(ModelFileError, match="is no file"):
        read_archive(tmp_path / "m.keras")


def hdf5(fill: Callable[[h5py.File], Any]) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["layers/dense/vars/0"] = np.ones((72, 10), np.float32)
        fill(file)
    return out.getvalue()


def claim(**how: Any) -> Callable[[h5py.File], Any]:
    return lambda file: file.create_dataset("x", dtype="f4", **how)


def circle(file: h5py.File) -> None:
    file["layers/dense/again"] = file["layers"]


def elsewhere(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3,))
    file.create_virtual_dataset("x", layout)


@pytest.mark.fault(162)
@pytest.mark.parametrize(
    ("fill", "told"),
    [
        pytest.param(claim(shape=(30000, 30000), chunks=(1000, 1000)), "claim", id="a fill value"),
        pytest.param(claim(shape=(30000, 30000), fillvalue=1), "claim", id="another fill value"),
        pytest.param(
            claim(shape=(9,), chunks=(9,), compression="gzip", data=np.ones(9)),
            "claim|packed",
            id="compressed",
        ),
        pytest.param(
            claim(shape=(9,), maxshape=(None,), chunks=(1 << 22,), data=np.ones(9)),
            "packed",
            id="a chunk that is larger than all",
        ),
        pytest.param(
            claim(shape=(9,), external=[("/etc/passwd", 0, 36)]), "another file", id="external"
        ),
        pytest.param(elsewhere, "another file", id="virtual"),
        pytest.param(
            lambda file: file.__setitem__("x", h5py.ExternalLink("y.h5", "/d")),
            "a link",
            id="a link to another file",
        ),
        pytest.param(
            lambda file: file.__setitem__("x", h5py.SoftLink("/")), "a link", id="a soft link"
        ),
        pytest.param(circle, "in a circle", id="a circle of hard links"),
        pytest.param(
            lambda file: file.__setitem__("x", np.array([1, np.nan], np.float32)),
            "no numbers",
            id="NaN",
        ),
        pytest.param(
            lambda file: file.__setitem__("x", np.array(["a", "b"], h5py.string_dtype())),
            "no numbers",
            id="texts",
        ),
        pytest.param(
            lambda file: file.__setitem__("x", np.dtype("f4")), "that are none", id="a type"
        ),
    ],
)
def test_weights_that_reach_out_or_claim_what_they_do_not_hold_are_refused(fill, told):
    with pytest.raises(ModelFileError, match=told):
        check_weights(Path("m.keras"), hdf5(fill))


def test_sound_weights_are_counted():
    assert check_weights(Path("m.keras"), hdf5(lambda file: None)) == 720  # noqa: ARG005


@pytest.mark.fault(162)
def test_damaged_weights_are_one_error():
    noise, content = random.Random(11), hdf5(lambda file: None)  # noqa: ARG005
    for _ in range(300):
        spoilt = bytearray(content)
        for _ in range(noise.choice([1, 3, 9])):
            spoilt[noise.randrange(len(spoilt))] = noise.randrange(256)
        try:
            check_weights(Path("m.keras"), bytes(spoilt))
        except ModelFileError:
            continue


@pytest.mark.fault(162)
def test_a_megabyte_that_would_take_gigabytes_is_refused_within_the_memory_of_keras(
    sound, tmp_path
):
    members = copy.copy(sound)
    weights = io.BytesIO(members["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        del file["layers/conv2d/vars/0"]
        file.create_dataset("layers/conv2d/vars/0", (30000, 30000), "f4", chunks=(1000, 1000))
    members["model.weights.h5"] = weights.getvalue()
    path = write(tmp_path / "m.keras", members)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30));"
        "sys.argv[0] = 'edgecls'; from edgecls.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "convert", str(path), "--data", str(pictures)],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "EDGECLS_STRICT": "1"},
    )
    assert done.returncode == 1
    assert "has weights that claim 3,600,000,000 bytes and store 0" in done.stderr
    assert "hint: save it with model.save('model.keras')" in done.stderr


@pytest.mark.fault(161)
@pytest.mark.parametrize("seed", range(40))
def test_a_directory_that_is_damaged_anywhere_is_one_error(sound, tmp_path, seed):
    noise = random.Random(seed)
    path = write(tmp_path / "m.keras", {**sound, "model.weights.h5": b"x" * 99})
    content = bytearray(path.read_bytes())
    for _ in range(noise.choice([1, 2, 5])):
        content[noise.randrange(content.index(b"PK\1\2"), len(content))] = noise.randrange(256)
    path.write_bytes(content)
    with pytest.raises(ModelFileError):
        open_as_convert_does(path)


def open_as_convert_does(path: Path) -> Any:
    refuse_other_formats(path)
    return load_model(path)
