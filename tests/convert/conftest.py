"""One trained run and its conversion, shared by all tests of the converter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecls.classifier import Classifier
from edgecls.console import progress
from edgecls.contract.run import RunFolder
from edgecls.runtimes import open_runtime
from tests.convert.runs import save_folder_run, train_digits_run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="converting needs TensorFlow (edgecls-convert)")

from edgecls_convert.convert import Conversion, Settings, convert_run

# 300 held-out digits and a network of two epochs: single pictures may flip.
TOLERANT = Settings(max_drop=5.0, calibration=60)


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return train_digits_run(tmp_path_factory.mktemp("digits") / "1")


@pytest.fixture(scope="session")
def conversion(digits_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Conversion:
    output = tmp_path_factory.mktemp("converted") / "model.tflite"
    return convert_run(digits_run, output, TOLERANT, progress)


@pytest.fixture(scope="session")
def classifier(conversion: Conversion) -> Classifier:
    return Classifier(conversion.model, open_runtime(conversion.model))


@pytest.fixture
def folder_run(tmp_path: Path) -> RunFolder:
    return save_folder_run(tmp_path)
