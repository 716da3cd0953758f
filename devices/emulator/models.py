"""Three models for the emulated board, made by the product's own commands on this machine.

Run: python devices/emulator/models.py

How well they classify does not matter here: what they cost and whether they compute the same does.
They are kept in .emulator/models until the code that made them changes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from devices.emulator.root import CHECKOUT, PLACE, EmulatorError, fingerprint
from edgecls.imaging.opencv import cv2

FOLDER: Final = PLACE / "models"
FRAME: Final = FOLDER / "frame.jpg"
MODELS: Final = {
    "digits CNN, 28x28": FOLDER / "digits.tflite",
    "ResNet-8, 32x32": FOLDER / "resnet8.tflite",
    "EfficientNet-Lite0, 224x224": FOLDER / "efficientnet-lite0.tflite",
}
FRAME_SIZE: Final = (480, 640)
_PICTURES: Final = FOLDER / "pictures"
_CLASSES: Final = 10  # of ImageNet; as many folders of made-up pictures
_PER_CLASS: Final = 4
# No accuracy is asked of models that hardly saw a picture.
_WITHOUT_GATE: Final = ("--int8", "--max-drop", "100", "--max-class-drop", "100", "--no-remedy")


def make_models() -> None:
    """Make what is missing or was made by other code."""
    sources = [
        path
        for folder in ("edgecls", "train/edgecls_train", "convert/edgecls_convert")
        for path in sorted((CHECKOUT / folder).rglob("*"))
        if path.suffix in (".py", ".toml")
    ]
    key = fingerprint([Path(__file__), CHECKOUT / "constraints.txt", *sources])
    stamp = PLACE / "models.stamp"
    if stamp.is_file() and stamp.read_text() == key:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    _PICTURES.mkdir(parents=True)
    FRAME.write_bytes(encode_made_frame(FRAME_SIZE, 0))
    for number in range(_CLASSES):
        folder = _PICTURES / str(number * 100)
        folder.mkdir()
        for copy in range(_PER_CLASS):
            picture = encode_made_frame((300, 400), 1 + number * _PER_CLASS + copy)
            (folder / f"{copy}.jpg").write_bytes(picture)
    _make("digits", "--epochs", "2")
    _make("resnet8", "digits", "--recipe", "resnet8", "--epochs", "1")
    _make("efficientnet-lite0", str(_PICTURES), "--recipe", "imagenet")
    stamp.write_text(key)


def encode_made_frame(size: tuple[int, int], seed: int) -> bytes:
    """A JPEG as busy as a photo: coarse shapes, finer ones on them, a little noise."""
    rng = np.random.default_rng(seed)
    height, width = size
    frame = np.zeros((height, width, 3), np.float32)
    for cells, strength in ((3, 90), (12, 50), (48, 25), (200, 12)):
        coarse = rng.uniform(-strength, strength, (cells, cells, 3)).astype(np.float32)
        frame += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    pixels = np.clip(frame + 128, 0, 255).astype(np.uint8)
    content: bytes = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, 85))[1].tobytes()
    return content


def _make(name: str, *arguments: str) -> None:
    print(f"emulated board: model {name}", file=sys.stderr, flush=True)
    runs = FOLDER / f"{name}-runs"
    _edgecls("train", *arguments, "--out", str(runs))
    output = str(FOLDER / f"{name}.tflite")
    _edgecls("convert", str(runs / "1"), *_WITHOUT_GATE, "--output", output)


def _edgecls(*arguments: str) -> None:
    command: Sequence[str] = (sys.executable, "-m", "edgecls", *arguments)
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EmulatorError(f"edgecls {' '.join(arguments)} failed:\n{done.stderr[-1500:]}")


if __name__ == "__main__":
    try:
        make_models()
    except EmulatorError as wrong:
        sys.exit(f"error: {wrong}")
