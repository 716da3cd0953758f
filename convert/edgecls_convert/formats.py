"""Model files of other formats: told what they are and how they become a `.keras` file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from edgecls.errors import ModelFileError

_SAVE: Final = "save it in Python: model.save('model.keras')"
# Name or beginning -> what it is, and how to get a `.keras` file from it.
_SUFFIXES: Final = {
    ".h5": ("an old Keras .h5 file, which may carry code", f"load it, then {_SAVE}"),
    ".hdf5": ("an old Keras .h5 file, which may carry code", f"load it, then {_SAVE}"),
    ".pt": ("a PyTorch file", "export it as .tflite with litert-torch, or build it in Keras"),
    ".pth": ("a PyTorch file", "export it as .tflite with litert-torch, or build it in Keras"),
    ".onnx": ("an ONNX model", "export .tflite or .keras where it was trained"),
    ".pb": ("a TensorFlow graph", f"load it where it was trained, then {_SAVE}"),
    ".tflite": ("converted already", "run it: edgecls camera --model FILE"),
}
_MAGICS: Final = {b"\x89HDF": ".h5", b"\x80\x02": ".pt"}


def refuse_other_formats(path: Path) -> None:
    """Let only what may be a `.keras` file pass.

    Raises:
        ModelFileError: With what the file is instead, and what to do.
    """
    if is_saved_model(path):
        raise ModelFileError(
            f"'{path}' is a SavedModel, wanted a .keras file",
            hint=f"load it where it was trained, then {_SAVE}",
        )
    if not path.is_file():
        raise ModelFileError(
            f"there is no model file '{path}'", hint="give a .keras file, or a run folder"
        )
    what, hint = _recognize(path)
    if what:
        raise ModelFileError(f"'{path}' is {what}, wanted a .keras file", hint=hint)


def is_saved_model(path: Path) -> bool:
    """Whether it is a folder that TensorFlow saved a model in."""
    return (path / "saved_model.pb").is_file()


def _recognize(path: Path) -> tuple[str, str]:
    try:
        with path.open("rb") as file:
            head = file.read(16)
        names = _names_in(path)
    except OSError as wrong:
        raise ModelFileError(
            f"cannot read '{path}': {wrong.strerror or wrong}",
            hint="check that it is there and that you may read it",
        ) from wrong
    if head[4:8] == b"TFL3":
        return _SUFFIXES[".tflite"]
    if any(name.endswith("data.pkl") for name in names):
        return _SUFFIXES[".pt"]
    if "config.json" in names:
        return "", ""
    for magic, suffix in _MAGICS.items():
        if head.startswith(magic):
            return _SUFFIXES[suffix]
    return _SUFFIXES.get(path.suffix.lower(), ("", ""))


def _names_in(path: Path) -> list[str]:
    """The names in a ZIP; none in one whose directory is damaged, which is told by who reads it."""
    if not zipfile.is_zipfile(path):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except Exception:  # noqa: BLE001  # zipfile and struct raise a dozen kinds
        return []
