"""A `.keras` file, looked at before Keras sees it: what it holds, names and would take.

Keras makes every layer as its configuration says and then reads the weights into it, so a small
file can ask for any amount of memory, and some layers read files or run code. Here the ZIP, the
configuration and the HDF5 file are checked against each other first, and the network is built once
without any memory for its weights.
"""

from __future__ import annotations

import contextlib
import io
import math
import resource
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecls.contract.json_text import read_object
from edgecls.errors import InvalidValueError, ModelFileError, NotInstalledError

MOST_CONFIG_BYTES: Final = 1 << 26
MOST_WEIGHTS_BYTES: Final = 1 << 32
# Keras does not compress at all, and other tools gain a tenth; weights that are mostly zeros more.
_MOST_RATIO: Final = 20
_SMALL_BYTES: Final = 1 << 22
_CONFIG: Final = "config.json"
_WEIGHTS: Final = "model.weights.h5"
_MEMBERS: Final = {
    _CONFIG: MOST_CONFIG_BYTES,
    "metadata.json": 1 << 20,
    _WEIGHTS: MOST_WEIGHTS_BYTES,
}
_COMPRESSIONS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 1
# HDF5's own library follows a damaged list of links for as long as there is memory.
_MOST_OF_READER_BYTES: Final = 1 << 27

# Where the parts of a network come from: nothing of Keras that loads, fetches or configures.
_PLACES: Final = tuple(
    f"keras.{source}{place}"
    for source in ("", "src.")
    for place in (
        "layers",
        "initializers",
        "regularizers",
        "constraints",
        "activations",
        "dtype_policies",
        "quantizers",
        "ops",
        "random",
        # Of a network within the network that was compiled, which Keras compiles as well.
        "optimizers",
        "losses",
        "metrics",
        "models.functional",
        "models.sequential",
        "models.model",
        "backend",
    )
)
_OF_KERAS_ITSELF: Final = frozenset(
    {"Sequential", "Functional", "Model", "DTypePolicy", "DTypePolicyMap", "Variable"}
    | {"FloatDTypePolicy", "QuantizedDTypePolicy", "KerasTensor", "InputSpec"}
)
_CODE: Final = "which is Python code inside the file"
# Layers that do more than compute, and why no classifier of pictures needs them.
_REFUSED: Final = {
    "Lambda": f"{_CODE}; edgecls does not run it",
    "__lambda__": f"{_CODE}; edgecls does not run it",
    "TFSMLayer": "which loads another model from the disk",
    "TorchModuleWrapper": "which runs code of its own",
    "JaxLayer": "which runs code of its own",
    "FlaxLayer": "which runs code of its own",
    "StringLookup": "which reads files and is for words",
    "IntegerLookup": "which reads files and is for numbers",
    "TextVectorization": "which reads files and is for words",
    "STFTSpectrogram": "which is for sound",
    "MelSpectrogram": "which is for sound",
}
_MOST_OBJECTS: Final = 100_000
_MOST_RANK: Final = 8
# Seeds and counters that are made anew, not read.
_SPARE_NUMBERS: Final = 1 << 20
# 1 GiB of float32 for one picture; a photo of 4096x4096 in 8 channels has half of it.
_MOST_VALUES: Final = 1 << 28
_SAVE_AGAIN: Final = "save it with model.save('model.keras'), built-in layers only"


def load_keras_model(keras: Any, path: Path) -> Any:
    """Load a `.keras` file, never running code that it carries, in memory that its size explains.

    Args:
        keras: The module.
        path: The file.

    Returns:
        A `keras.Model` as it was saved, not compiled.

    Raises:
        ModelFileError: It is none, is damaged, or asks for more than it holds.
        Exception: Whatever layers raise on a configuration that they refuse.
    """
    config, content = read_archive(path)
    check_config(path, config)
    stored = check_weights(path, content)
    del content  # Keras reads it anew
    needed = _in_thread(lambda: _measure(keras, path, config))
    if needed > stored + _SPARE_NUMBERS:
        raise ModelFileError(
            f"the network in '{path}' has {needed:,} weights, and the file holds {stored:,}:"
            " it is damaged, or made to exhaust the memory",
            hint=_SAVE_AGAIN,
        )
    return keras.models.load_model(path, compile=False, safe_mode=True)


def read_archive(path: Path) -> tuple[dict[str, Any], bytes]:
    """The configuration and the weights, an HDF5 file, out of a `.keras` file.

    Raises:
        ModelFileError: It is no such ZIP, is damaged, or grows beyond what it may.
    """
    if not path.is_file():  # opening a pipe would wait for ever
        raise _refuse(path, "is no file")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_directory(path, archive)
            members = {name: archive.read(name) for name in archive.namelist()}
    except ModelFileError:
        raise
    # zipfile, zlib and struct raise a dozen kinds over a directory that nobody wrote.
    except Exception as wrong:
        raise _refuse(path, f"is no sound .keras file: {wrong or type(wrong).__name__}") from wrong
    try:
        config = read_object(members[_CONFIG], _CONFIG, most_bytes=MOST_CONFIG_BYTES)
        return dict(config.fields), members[_WEIGHTS]
    except InvalidValueError as wrong:
        raise _refuse(path, f"has a configuration that cannot be read: {wrong.problem}") from wrong


def check_config(path: Path, config: dict[str, Any]) -> None:
    """Refuse a network of anything but Keras' own layers that only compute.

    Args:
        path: Of the file, for messages.
        config: As Keras wrote it; how it was trained is not looked at, for it is never made.

    Raises:
        ModelFileError: It names the part.
    """
    if not isinstance(config.get("class_name"), str):
        raise _refuse(path, "has a configuration that is none of a network")
    network = {key: value for key, value in config.items() if key != "compile_config"}
    for number, part in enumerate(_walk(network)):
        if number > _MOST_OBJECTS:
            raise _refuse(path, f"has a configuration of more than {_MOST_OBJECTS:,} parts")
        name, module = part.get("class_name"), part.get("module")
        if name is None:
            continue
        if not isinstance(name, str) or not isinstance(module, str | None):
            raise _refuse(path, "has a configuration that is none of a network")
        if name in _REFUSED:
            layer = "Lambda" if name == "__lambda__" else name
            raise ModelFileError(
                f"'{path}' has a {layer} layer, {_REFUSED[name]}",
                hint=f"replace the {layer} layer by a built-in layer and train again",
            )
        if module is not None and not _is_known(module, name):
            raise ModelFileError(
                f"'{path}' is built of {name!a:.80} of {module!a:.80}, which edgecls neither"
                " imports nor runs",
                hint=_SAVE_AGAIN,
            )


def check_weights(path: Path, content: bytes) -> int:
    """Refuse an HDF5 file that reaches outside of itself, or claims more than it stores.

    Args:
        path: Of the model, for messages.
        content: The file.

    Returns:
        How many numbers it stores.

    Raises:
        ModelFileError: Links, external or virtual arrays, values that are only claimed, a file
            that is damaged.
        NotInstalledError: h5py is missing, which comes with Keras.
    """
    try:
        import h5py  # type: ignore[import-untyped,unused-ignore]  # not on boards
    except ImportError as missing:
        raise NotInstalledError(
            f"weights of Keras need h5py, which cannot be imported: {missing}",
            hint="pip install h5py",
        ) from missing
    try:
        with (
            at_most_bytes(2 * len(content) + _MOST_OF_READER_BYTES),
            h5py.File(io.BytesIO(content), "r") as file,
        ):
            return sum(_count(path, name, array) for name, array in _arrays(h5py, path, file))
    except ModelFileError:
        raise
    # h5py turns what the library finds into whatever fits: OSError, KeyError, RuntimeError ...
    except Exception as wrong:
        raise _refuse(path, f"has damaged weights: {' '.join(str(wrong).split())}") from wrong


@contextlib.contextmanager
def at_most_bytes(more: int) -> Iterator[None]:
    """Let this process take so many bytes of addresses more than it has, for a moment; on Linux."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            limit = int(file.read().split()[0]) * resource.getpagesize() + more
    except OSError:  # nobody tells what it has
        yield
        return
    limits = [limit, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _check_directory(path: Path, archive: zipfile.ZipFile) -> None:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if sorted(set(names)) != sorted(names):
        raise _refuse(path, "holds two files of one name")
    for info in infos:
        most = _MEMBERS.get(info.filename)
        if most is None:
            raise _refuse(path, f"holds {info.filename!a:.80}, which no classifier needs")
        if info.compress_type not in _COMPRESSIONS or info.flag_bits & _ENCRYPTED:
            raise _refuse(path, f"has {info.filename} compressed or encrypted in an unknown way")
        if info.file_size > min(most, _MOST_RATIO * info.compress_size + _SMALL_BYTES):
            raise _refuse(
                path,
                f"has {info.filename} of {info.compress_size:,} bytes that would grow to"
                f" {info.file_size:,}",
            )
    for name in (_CONFIG, _WEIGHTS):
        if name not in names:
            raise _refuse(path, f"is no .keras file: it holds no {name}")


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a configuration, without recursion: `read_object` bounds its depth."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)


def _uncompiled(value: Any) -> Any:
    """A configuration without how its networks were trained: `read_object` bounds its depth."""
    if isinstance(value, dict):
        return {key: _uncompiled(one) for key, one in value.items() if key != "compile_config"}
    return [_uncompiled(one) for one in value] if isinstance(value, list) else value


def _is_known(module: str, name: str) -> bool:
    if module in ("keras", "keras.models"):
        return name in _OF_KERAS_ITSELF
    return any(module == place or module.startswith(f"{place}.") for place in _PLACES)


def _arrays(h5py: Any, path: Path, file: Any) -> Iterator[tuple[str, Any]]:
    """Every array, each once, through hard links alone."""
    waiting: list[tuple[str, Any]] = [("", file)]
    seen: set[int] = set()
    while waiting:
        place, group = waiting.pop()
        for name in group:
            inner = f"{place}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _refuse(path, f"has weights that are a link: {inner!a:.80}")
            found = group[name]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen or len(seen) > _MOST_OBJECTS:
                raise _refuse(path, f"has weights that lie in a circle: {inner!a:.80}")
            seen.add(address)
            if isinstance(found, h5py.Dataset):
                yield inner, found
            elif isinstance(found, h5py.Group):
                waiting.append((inner, found))
            else:
                raise _refuse(path, f"has weights that are none: {inner!a:.80}")


def _count(path: Path, name: str, array: Any) -> int:
    """How many numbers an array stores, after a look at each of its claims."""
    if array.external or array.is_virtual:
        raise _refuse(path, f"has weights in another file: {name!a:.80}")
    size = math.prod(array.shape or ())
    # Two bytes of no kind are bfloat16.
    is_number = array.dtype.kind in "fiub" or (array.dtype.kind, array.dtype.itemsize) == ("V", 2)
    if array.shape is None or len(array.shape) > _MOST_RANK or not is_number:
        if array.dtype.kind in "OS" and size <= 1:  # notes of Keras, such as the name of a layer
            return 0
        raise _refuse(path, f"has weights that are no numbers: {name!a:.80}")
    claimed, stored = size * array.dtype.itemsize, array.id.get_storage_size()
    if stored < claimed:
        raise _refuse(
            path, f"has weights that claim {claimed:,} bytes and store {stored:,}: {name!a:.80}"
        )
    chunk = math.prod(array.chunks or (1,)) * array.dtype.itemsize
    if array.id.get_create_plist().get_nfilters() or chunk > max(claimed, _SMALL_BYTES):
        raise _refuse(path, f"has weights that are packed: {name!a:.80}")
    if array.dtype.kind == "f" and not np.isfinite(array[()]).all():
        raise _refuse(path, f"has weights that are no numbers (NaN or infinite): {name!a:.80}")
    return size


def _measure(keras: Any, path: Path, config: dict[str, Any]) -> int:
    """How many weights a network has, and whether what flows through it fits a memory.

    In a stateless scope Keras knows the shape of every weight and makes none.
    """
    network = _uncompiled(config)
    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object(network, safe_mode=True)
    for step in _steps(model):
        for tensor in keras.tree.flatten(_output(step)):
            values = math.prod(side for side in tensor.shape[1:] if side is not None)
            if values > _MOST_VALUES:
                raise _refuse(
                    path,
                    f"makes {values:,} values of one picture in {step.name!a:.80}, at most"
                    f" {_MOST_VALUES:,} fit a memory",
                )
    return sum(math.prod(weight.shape) for weight in model.variables)


def _steps(model: Any) -> Iterator[Any]:
    """Every layer and operation, also of models in this one."""
    inner: Any = getattr(model, "operations", None) or getattr(model, "layers", ())
    for step in inner:
        yield step
        yield from _steps(step)


def _output(step: Any) -> Any:
    try:
        return step.output
    except (AttributeError, ValueError):  # it was never called, or twice: then others show it
        return []


def _in_thread(work: Any) -> Any:
    """Run in a thread of its own: Keras counts names and keeps unmade weights in each thread."""
    found: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as wrong:  # noqa: BLE001  # raised again, where it is waited for
            failed.append(wrong)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for wrong in failed:
        raise wrong
    return found[0]


def _refuse(path: Path, problem: str) -> ModelFileError:
    return ModelFileError(f"'{path}' {problem:.400}", hint=_SAVE_AGAIN)
