"""A model of others, on real pictures, through the command line."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_corals_mobilenet_is_right_on_at_least_86_of_100_imagenet_pictures(
    cli: Callable[..., Any], data_folder: Path, tmp_path: Path
) -> None:
    pictures = data_folder / "imagenet-100"
    with (pictures / "classes.csv").open(newline="") as table:
        for name, number, *_ in csv.reader(table):
            # Coral's labels begin with "background", so every class moves up by one.
            folder = tmp_path / str(int(number) + 1)
            folder.mkdir(exist_ok=True)
            shutil.copy(pictures / name, folder)
    coral = data_folder / "coral"
    model, labels = coral / "mobilenet_v2_1.0_224_quant.tflite", coral / "imagenet_labels.txt"
    result = cli("evaluate", "--model", model, "--labels", labels, tmp_path, "--json")
    found = json.loads(result.stdout)
    assert found["images"] == 100
    assert found["top1"] >= 0.86
