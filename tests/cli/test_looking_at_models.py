"""What `inspect`, `verify`, `doctor` and `compare` print of a model for people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecls.contract.card import ModelCard, Output
from edgecls.contract.labels import Labels
from edgecls.contract.modelfile import write_model_file
from edgecls.contract.preprocessing import Preprocessing
from edgecls.imaging.opencv import cv2
from tests.support.edited_model import edited
from tests.support.tiny_model import frame_of, tiny_golden, tiny_model_bytes, write_tiny_model

Cli = Callable[..., Any]
LEVELS = ("level 0", "level 1", "level 2")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A model of others whose dense layer old runtimes answer wrongly."""

    def one_scale_a_channel(model: Any) -> None:
        weights = model.subgraphs[0].tensors[2].quantization
        weights.scale, weights.zeroPoint = list(weights.scale) * 3, [0] * 3

    path = tmp_path / "trap.tflite"
    content = tiny_model_bytes((4, 4), "GRAY", 3, dtype="int8")
    path.write_bytes(edited(content, one_scale_a_channel))
    return path


@pytest.mark.parametrize("command", [("inspect",), ("verify",), ("doctor", "--model")])
def test_a_model_that_fools_old_runtimes_is_told_of(
    cli: Cli, trap: Path, command: tuple[str, ...]
) -> None:
    result = cli(*command, trap)
    assert f"warning: {trap}: 1 FULLY_CONNECTED layer has one scale a channel" in result.stderr
    assert "tflite-runtime 2.5 to 2.9" in result.stderr


@pytest.mark.parametrize("command", [("inspect",), ("verify",), ("doctor", "--model")])
def test_a_sound_model_is_not(cli: Cli, model: Path, command: tuple[str, ...]) -> None:
    result = cli(*command, model)
    assert result.exit_code == 0
    assert result.stderr == ""


def test_inspect_draws_the_operators_as_a_table(cli: Cli, model: Path) -> None:
    table = cli("inspect", model).stdout.split("\n\n")[1].splitlines()
    rows = [line.split() for line in table]
    assert rows[0] == ["operator", "version", "in", "out", "MACs", "parameters"]
    assert rows[1] == ["0", "RESHAPE", "1", "1x28x28x1", "1x784", "0", "8", "B"]
    assert rows[2] == ["1", "FULLY_CONNECTED", "1", "1x784", "1x10", "7,840", "7,880", "B"]
    assert rows[3] == ["2", "SOFTMAX", "1", "1x10", "1x10", "0", "0", "B"]
    assert rows[4] == ["3", "operators", "7,840", "7,888", "B"]
    assert len({len(line) for line in table[1:]}) == 1  # the columns are straight


def test_inspect_shows_the_card(cli: Cli, tmp_path: Path) -> None:
    flatbuffer = tiny_model_bytes((4, 4), "GRAY", 3)
    preprocessing = Preprocessing((4, 4), "GRAY")
    card = ModelCard(
        Labels(LEVELS),
        preprocessing,
        Output(1.5, 0.25, {"level 2": 0.75}),
        provenance={
            "recipe": "tiny",
            "conversion": {"form": "int8", "input_type": "uint8", "per_class": {"a": 1}},
        },
        metrics={
            "float": {"top1": 0.98, "images": 500, "macro_f1": 0.97, "calibration_error": 0.02},
            "int8": {"top1": 0.975, "images": 500},
            "agreement": 0.99,
            "decision": {"coverage": 0.9, "precision": 0.995},
        },
    )
    path = tmp_path / "m.tflite"
    write_model_file(path, flatbuffer, card, tiny_golden(flatbuffer, preprocessing))
    lines = cli("inspect", path).stdout.splitlines()
    assert "decision    temperature 1.5, 'unknown' below 0.25" in lines
    assert "            'unknown' below 0.75 for level 2" in lines
    assert (
        "float       top-1 98.0% on 500 pictures, macro F1 0.970, calibration error 0.020" in lines
    )
    assert "int8        top-1 97.5% on 500 pictures" in lines
    assert "agreement   99.00%" in lines
    assert "answers     90.0% answered, 99.5% of it right" in lines
    assert "recipe      tiny" in lines
    assert "conversion  form int8, input type uint8" in lines


def test_inspect_sums_up_a_long_model_and_lists_it_on_request(cli: Cli, data_folder: Path) -> None:
    path = data_folder / "coral" / "mobilenet_v2_1.0_224_quant.tflite"
    short = cli("inspect", path).stdout.splitlines()
    assert short[-1] == "each of them: --operators"
    assert short[-3].split()[1] == "operators"
    convolutions = next(line.split() for line in short if line.startswith("CONV_2D"))
    listed = cli("inspect", path, "--operators").stdout.splitlines()
    assert sum(line.split()[1:2] == ["CONV_2D"] for line in listed) == int(convolutions[1])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures of level 0, one of level 1 and one of level 2."""
    for level, count in ((0, 2), (1, 1), (2, 1)):
        folder = tmp_path / "data" / f"level {level}"
        folder.mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(folder / f"{number}.png"), frame_of(level, 3))
    return tmp_path / "data"


def test_compare(cli: Cli, data: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.tflite", tmp_path / "b.tflite"
    write_tiny_model(first, (4, 4), "GRAY", labels=LEVELS)
    write_tiny_model(second, (4, 4), "GRAY", labels=("level 1", "level 0", "level 2"))
    result = cli("compare", first, second, data)
    assert result.exit_code == 0
    text = result.stdout
    assert text.startswith("pictures   4 (0 unreadable)\nA          top-1 100.0%, macro F1 1.000,")
    assert "B          top-1 25.0%" in text
    assert "agreement  25.0% (3 pictures changed)" in text
    # 2 * (1/2)^3: three of three
    assert "3 only A has right, 0 only B: no more than chance (McNemar, p = 0.25)" in text
    assert "level 0/0.png: level 0 (A: level 0, B: level 1)" in text
    assert result.stderr == "compare: 4/4\n"


def test_compare_names_no_more_pictures_than_asked_for(
    cli: Cli, data: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "a.tflite", tmp_path / "b.tflite"
    write_tiny_model(first, (4, 4), "GRAY", labels=LEVELS)
    write_tiny_model(second, (4, 4), "GRAY", labels=("level 1", "level 0", "level 2"))
    text = cli("compare", first, second, data, "--show", "1").stdout
    assert text.endswith("and 2 more (--show 3)\n")


def test_compare_refuses_models_of_different_labels(cli: Cli, model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    write_tiny_model(other, labels=("cat", "dog"))
    result = cli("compare", model, other, "digits")
    assert result.exit_code == 1
    assert "error: the models have different labels: only the first has 'level 0'" in result.stderr
