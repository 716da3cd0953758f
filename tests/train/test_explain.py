"""Where a model looks in pictures: `edgecls_train.explain` and the command `edgecls explain`."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import typer

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.run import RunFolder
from edgecls.errors import InvalidValueError, ModelFileError, PictureError, RunError
from edgecls.imaging.decode import decode
from edgecls_train.backend import load_keras
from edgecls_train.cli.explain import explain
from edgecls_train.explain import open_explainer
from tests.support.tiny_model import write_tiny_model
from tests.train.test_heatmap import REGION, SIDE, corner_network


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    """A run whose network sees one region only."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    corner_network().save(folder.model_path)
    folder.save_card(ModelCard(Labels(("dark", "light")), Preprocessing((SIDE, SIDE), "GRAY")))
    return folder


@pytest.fixture
def picture(tmp_path):
    """A photo twice the size of the network's image, with light where the network looks."""
    frame = np.full((2 * SIDE, 2 * SIDE, 3), 20, np.uint8)
    rows, columns = REGION
    frame[2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop] = 250
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), frame)
    return path


@pytest.fixture
def tflite(tmp_path):
    """A model that answers by the brightness of the whole image."""
    path = tmp_path / "model.tflite"
    write_tiny_model(path, (SIDE, SIDE), labels=("dark", "light"))
    return path


def is_inside(peak) -> bool:
    rows, columns = REGION
    down, right = peak
    return rows.start <= down * SIDE <= rows.stop and columns.start <= right * SIDE <= columns.stop


@pytest.mark.parametrize("method", ["gradcam", "occlusion"])
def test_both_methods_find_the_region_of_a_keras_network(run, picture, method):
    frame = decode(picture.read_bytes())
    found = open_explainer(run.path, method).explain(frame)
    assert (found.label, found.best) == ("light", "light")
    assert found.score > 0.9
    assert is_inside(found.peak)


def test_the_region_of_a_tflite_is_found_by_hiding_parts(tflite):
    explainer = open_explainer(tflite)
    assert explainer.method == "occlusion"
    frame = np.zeros((SIDE, SIDE, 3), np.uint8)
    frame[:, 20:] = 255  # 37% of the pixels: near the border between the two labels
    frame[:, 16:20] = 128
    done = []
    found = explainer.explain(frame, "light", done.append)
    assert done[-1] == explainer.steps
    assert found.peak[1] > 0.5
    assert found.heat[:, :8].max() == 0.0


@pytest.mark.parametrize("name", ["", "model.keras"])
def test_a_run_and_its_model_file_are_the_same(run, picture, name):
    found = open_explainer(run.path / name).explain(decode(picture.read_bytes()))
    assert found.label == "light"


def test_a_keras_file_without_its_card_says_so(run, tmp_path):
    (tmp_path / "model.keras").write_bytes(run.model_path.read_bytes())
    with pytest.raises(RunError, match=r"card\.json"):
        open_explainer(tmp_path / "model.keras")


def test_a_damaged_keras_file_says_so(run, tmp_path):
    (tmp_path / "model.keras").write_bytes(b"PK nothing")
    (tmp_path / "card.json").write_bytes((run.path / "card.json").read_bytes())
    with pytest.raises(ModelFileError, match=r"is no sound .keras file"):
        open_explainer(tmp_path / "model.keras")


@pytest.mark.fault(22)
def test_a_keras_file_with_code_in_it_is_refused_and_not_run(run, tmp_path):
    keras = load_keras()
    place = str(tmp_path / "it was run")
    image = keras.Input((28, 28, 1))
    spying = keras.layers.Lambda(
        lambda x: __import__("os").makedirs(place, exist_ok=True) or x, output_shape=(10,)
    )
    scores = spying(keras.layers.Dense(10)(keras.layers.Flatten()(image)))
    keras.Model(image, scores).save(tmp_path / "model.keras")
    (tmp_path / "card.json").write_bytes((run.path / "card.json").read_bytes())
    with pytest.raises(ModelFileError, match=r"has a Lambda layer, which is Python code"):
        open_explainer(tmp_path / "model.keras")
    assert not (tmp_path / "it was run").exists()


def test_gradients_of_a_tflite_are_refused_with_a_way_out(tflite):
    with pytest.raises(InvalidValueError, match=r"needs gradients(.|\n)*run folder"):
        open_explainer(tflite, "gradcam")


def test_another_label_can_be_asked_for(run, picture):
    found = open_explainer(run.path).explain(decode(picture.read_bytes()), "dark")
    assert (found.label, found.best) == ("dark", "light")
    assert found.score < 0.1


def test_an_unknown_label_is_refused_with_the_known_ones(run, picture):
    with pytest.raises(InvalidValueError, match=r"no label 'cat'(.|\n)*dark, light"):
        open_explainer(run.path).explain(decode(picture.read_bytes()), "cat")


def test_the_command_writes_a_picture_and_one_line_of_json(run, picture, tmp_path, capsys):
    explain([picture], run.path, tmp_path / "out", as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["file"] == str(picture)
    assert (found["method"], found["label"], found["best"]) == ("gradcam", "light", "light")
    assert is_inside(found["peak"])
    assert found["explained"] == str(tmp_path / "out" / "photo.png")
    shown = decode((tmp_path / "out" / "photo.png").read_bytes())
    assert shown.shape[1] > 1.5 * shown.shape[0]  # two pictures side by side
    assert shown.std() > 10


def test_the_summary_names_picture_label_and_result(run, picture, tmp_path, capsys):
    explain([picture], run.path, tmp_path / "out")
    assert capsys.readouterr().out.startswith(f"{picture}: light 100.0% -> ")


def test_pictures_of_one_name_do_not_overwrite_each_other(run, picture, tmp_path):
    (tmp_path / "other").mkdir()
    for name in ("photo.png", "photo-2.png"):
        (tmp_path / "other" / name).write_bytes(picture.read_bytes())
    explain([picture, tmp_path / "other"], run.path, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_an_unreadable_picture_is_told_and_the_others_are_explained(run, picture, tmp_path, capsys):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(typer.Exit) as ended:
        explain([tmp_path / "bad.jpg", picture], run.path, tmp_path / "out")
    assert ended.value.exit_code == 1
    printed = capsys.readouterr()
    assert "bad.jpg" in printed.err
    assert "1 of 2 files could not be explained" in printed.err
    assert "photo.png: light" in printed.out


def test_no_pictures_at_all_are_an_error(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PictureError, match=r"no pictures(.|\n)*name files or folders"):
        explain([tmp_path / "empty"], run.path, tmp_path / "out")


def test_an_unknown_method_is_refused_with_the_known_ones(run, picture, tmp_path):
    with pytest.raises(InvalidValueError, match=r"no method 'magic'(.|\n)*gradcam, occlusion"):
        explain([picture], run.path, tmp_path / "out", method="magic")
