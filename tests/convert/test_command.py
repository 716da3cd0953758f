"""`edgecls convert` as it is typed: which flags go together, and what is said on stderr."""

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edgecls.cli.main import make_app
from edgecls_convert.quiet import import_tensorflow

EXIT_ERROR, EXIT_USAGE = 1, 2


def convert(*arguments):
    return CliRunner().invoke(make_app(), ["convert", *map(str, arguments)])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        pytest.param("--int8 --form float32", "which of the two?", id="two forms"),
        pytest.param("--form int4", "there is no form 'int4'", id="an unknown form"),
        pytest.param("--form float16 --input-type uint8", "cannot be 'uint8'", id="float, bytes"),
        pytest.param("--rescale 0..1", "--rescale goes with a .keras file", id="a run scales"),
        pytest.param("--crop pad", "--crop goes with a .keras file", id="a run crops"),
    ],
)
def test_flags_that_do_not_go_together_are_wrong_usage(digits_run, flags, message):
    done = convert(digits_run.path, *flags.split())
    assert done.exit_code == EXIT_USAGE
    assert message in " ".join(done.stderr.replace("\u2502", " ").split())


def test_int8_twice_is_no_conflict(digits_run, tmp_path):
    flags = "--int8 --form int8 --max-drop 5 --calibration 20 --output".split()
    assert convert(digits_run.path, *flags, tmp_path / "m.tflite").exit_code == 0


def test_the_form_and_its_cost_are_told(digits_run, tmp_path):
    done = convert(digits_run.path, "--form", "float16", "--output", tmp_path / "m.tflite")
    assert done.exit_code == 0
    assert "float16: weights of 16 bits, computed as float32: half the size" in done.stdout
    assert "\n  float16 " in done.stdout


def test_json_names_the_form_and_its_quality(digits_run, tmp_path):
    done = convert(digits_run.path, "--form", "dynamic", "--json", "--output", tmp_path / "m")
    found = json.loads(done.stdout)
    assert found["form"] == "dynamic"
    assert found["dynamic"]["top1"] == pytest.approx(found["float"]["top1"], abs=0.02)
    assert found["calibration"] is None


def test_few_calibration_pictures_are_warned_of(digits_run, tmp_path):
    flags = "--max-drop 5 --calibration 10 --json --output".split()
    done = convert(digits_run.path, *flags, tmp_path / "m.tflite")
    assert "warning: only 10 calibration pictures" in done.stderr
    found = json.loads(done.stdout)
    assert found["warnings"][0].startswith("only 10 calibration pictures")
    assert found["calibration"]["per_class"] == dict.fromkeys("0123456789", 1)
    assert found["calibration"]["input_range"]["highest"] == [255]


@pytest.fixture
def birds(tmp_path):
    """A model that tells dark pictures from light ones, and 20 of each."""
    _, keras = import_tensorflow()
    image = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(image)
    model = keras.Model(image, keras.layers.Dense(2)(mean))
    model.layers[-1].set_weights([np.float32([[-3, 3]] * 3), np.float32([4.5, -4.5])])
    model.save(tmp_path / "birds.keras")
    for label, brightness in (("raven", 40), ("swan", 200)):
        (tmp_path / "birds" / label).mkdir(parents=True)
        for number in range(20):
            picture = np.full((8, 8, 3), brightness + number, np.uint8)
            cv2.imwrite(str(tmp_path / "birds" / label / f"{number}.png"), picture)
    return tmp_path


def test_a_keras_file_that_wants_scaled_pixels_is_refused_then_cured(birds):
    given = [birds / "birds.keras", "--data", birds / "birds", "--output", birds / "m.tflite"]
    done = convert(*given)
    assert done.exit_code == EXIT_ERROR
    assert "but on 100.0% with pixels scaled to 0..1" in done.stderr
    assert "--rescale 0..1)" in done.stderr
    cured = convert(*given, "--rescale", "0..1")
    assert cured.exit_code == 0
    assert "int8       100.0% right" in cured.stdout


def test_labels_are_read_from_their_file(birds):
    (birds / "names.txt").write_text("raven\nswan\n")
    given = [birds / "birds.keras", "--data", birds / "birds", "--output", birds / "m.tflite"]
    assert convert(*given, "--labels", birds / "names.txt", "--rescale", "0..1").exit_code == 0
    (birds / "names.txt").write_text("raven\ncrow\n")
    done = convert(*given, "--labels", birds / "names.txt", "--rescale", "0..1")
    assert done.exit_code == EXIT_ERROR
    assert "has pictures of 'swan', which is none of the labels" in done.stderr
